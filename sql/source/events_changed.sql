-- How many usable events had their weight capped, and how many have a time that cannot be; the first
-- time that can.
SELECT
    count(*) FILTER (_c.weight > ${weight_cap}) AS capped,
    count(*) FILTER (_c.event_time > ${high}) AS in_the_future,
    count(*) FILTER (_c.event_time <= ${high} AND NOT (${plausible})) AS others,
    min(_c.event_time) FILTER (${plausible}) AS first
FROM (${events_raw}) AS _c
WHERE ${usable}

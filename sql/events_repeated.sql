-- How many usable events had their weight capped, and how many are the same as another one.
SELECT
    (SELECT count(*) FROM (${events_raw}) AS _c WHERE ${usable} AND weight > ${weight_cap})
        AS capped,
    (SELECT count(*) FROM morec_raw_events)
        - (SELECT count(*) FROM (SELECT DISTINCT * FROM morec_raw_events)) AS duplicates

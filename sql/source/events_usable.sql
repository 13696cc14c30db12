-- The events that count, as the view events has them, for the time of the build.
CREATE TEMP TABLE morec_raw_events AS
SELECT * REPLACE (${event_time} AS event_time, least(weight, ${weight_cap}) AS weight)
FROM (${events_raw}) AS _c
WHERE ${usable}

-- Between which times nearly all events lie, without times that stand for none.
SELECT
    quantile_disc(_c.event_time, 0.05) AS early,
    quantile_disc(_c.event_time, 0.95) AS late
FROM (${events_raw}) AS _c
WHERE ${usable} AND _c.event_time NOT IN (${fillers})

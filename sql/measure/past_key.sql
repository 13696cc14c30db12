-- What tells one past of a recommender from another: its training, the events of the past, the items.
SELECT
    _s.version,
    count(_e.event_time),
    sum(epoch(_e.event_time)),
    sum(_e.weight),
    (SELECT bit_xor(hash(_i)) FROM ${schema}.items AS _i)
FROM ${schema}.settings AS _s
LEFT JOIN ${schema}.events AS _e ON _e.event_time < CAST(${test_from} AS TIMESTAMP)
GROUP BY _s.version

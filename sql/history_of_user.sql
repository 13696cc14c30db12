-- The events of the user _a._key in the warehouse, as one list. Those from _a._as_of on are left out
-- later: with a second condition on _a DuckDB would gather the lists on one core.
SELECT list({
    'item': _v.item_index,
    'time': epoch(_x.event_time),
    'weight': CAST(_x.weight AS FLOAT)
})
FROM ${schema}.events AS _x
JOIN ${schema}.item_vectors AS _v ON _v.item_id = _x.item_id
WHERE _x.user_id = _a._key

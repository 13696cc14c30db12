-- The events of a user in the warehouse, as one list. The macro's argument stands in it as it came, so
-- that a constant is looked up and a column is joined once; columns get names of our own before, so
-- that a column in the argument cannot meet them. What is later than as_of is left out afterwards:
-- with a second condition of that kind DuckDB would gather the lists on one core.
SELECT list({
    'item': _v._item_index,
    'time': epoch(_x._event_time),
    'weight': CAST(_x._weight AS FLOAT)
})
FROM (
    SELECT
        _e.user_id AS _user_id,
        _e.item_id AS _item_id,
        _e.event_time AS _event_time,
        _e.weight AS _weight
    FROM ${schema}.events AS _e
) AS _x
JOIN (
    SELECT _i.item_id AS _item_id, _i.item_index AS _item_index FROM ${schema}.item_vectors AS _i
) AS _v ON _v._item_id = _x._item_id
WHERE _x._user_id = CAST(user_id AS ${key_type})

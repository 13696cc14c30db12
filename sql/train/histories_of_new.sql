-- All events of the users of new items; these are numbered on from the others.
SELECT
    _u.user_index AS user,
    coalesce(_v.item_index, ${known} + _i.item_index) AS item,
    coalesce(epoch(_e.event_time), 0) AS time,
    CAST(_e.weight AS FLOAT) AS weight
FROM ${schema}.events AS _e
JOIN morec_users AS _u ON _u.user_id = _e.user_id
LEFT JOIN ${item_vectors} AS _v ON _v.item_id = _e.item_id
LEFT JOIN morec_items AS _i ON _i.item_id = _e.item_id
WHERE coalesce(_v.item_index, _i.item_index) IS NOT NULL

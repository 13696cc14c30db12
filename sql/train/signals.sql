-- What was observed of pairs of a user and an item: the mean rating, or 1 where it was ever true.
SELECT
    _u.user_index AS user,
    _i.item_index AS item,
    CAST(${aggregate}(_c.weight) AS FLOAT) AS value
FROM (${events_raw}) AS _c
JOIN morec_users AS _u ON _u.user_id = _c.user_id
JOIN morec_items AS _i ON _i.item_id = _c.item_id
WHERE isfinite(_c.weight) AND ${before}
GROUP BY _u.user_index, _i.item_index
ORDER BY _u.user_index, _i.item_index

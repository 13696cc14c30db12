-- What users with events were shown of the items, by their numbers, sorted by user.
SELECT
    _u.user_index AS user,
    _i.item_index AS item,
    epoch(_s.shown_at) AS time,
    _s.place AS place
FROM (${shown}) AS _s
JOIN morec_users AS _u ON _u.user_id = _s.user_id
JOIN morec_items AS _i ON _i.item_id = _s.item_id
WHERE ${usable}
ORDER BY user

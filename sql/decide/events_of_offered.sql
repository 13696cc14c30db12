-- The events of users who were offered something: morec_offered has them as texts, numbered.
SELECT
    _u.number AS user_number,
    _i.item_index AS item_index,
    epoch(_e.event_time) AS seconds,
    _e.weight AS weight
FROM ${schema}.events AS _e
JOIN morec_offered AS _u ON _u.user_id = CAST(_e.user_id AS VARCHAR)
JOIN morec_items AS _i ON _i.item_id = _e.item_id
ORDER BY user_number

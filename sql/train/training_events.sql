-- The distinct events, sorted by user, item and time.
SELECT
    user_index AS user,
    item_index AS item,
    coalesce(event_time, 0) AS time,
    weight,
    wanted${channel}
FROM morec_events
ORDER BY user_index, item_index, event_time

-- The distinct events with users and items numbered from 0.
CREATE TEMP TABLE morec_events AS
SELECT
    _u.user_index,
    _i.item_index,
    epoch(_e.event_time) AS event_time,
    CAST(_e.weight AS FLOAT) AS weight,
    ${wanted} AS wanted${channel}
FROM morec_raw_events AS _e
JOIN morec_users AS _u ON _u.user_id = _e.user_id
JOIN morec_items AS _i ON _i.item_id = _e.item_id
${grouped}

-- The users numbered from 0; only for the time of the build.
CREATE TEMP TABLE morec_users AS
SELECT user_id, CAST(row_number() OVER (ORDER BY user_id) - 1 AS INTEGER) AS user_index
FROM (SELECT DISTINCT user_id FROM morec_raw_events)

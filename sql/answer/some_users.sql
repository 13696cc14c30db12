-- Some users who have events, as texts; the same ones each time.
SELECT CAST(_u.user_id AS VARCHAR) AS user_id
FROM (SELECT DISTINCT user_id FROM ${schema}.events) AS _u
ORDER BY hash(_u.user_id)
LIMIT ${count}

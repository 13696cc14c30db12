-- All users who have an event or are in the table of users, as texts.
SELECT DISTINCT CAST(_a.user_id AS VARCHAR) AS user_id
FROM (
    SELECT _e.user_id FROM ${schema}.events AS _e
    UNION ALL
    SELECT _u.user_id FROM ${schema}.users AS _u
) AS _a
WHERE _a.user_id IS NOT NULL
ORDER BY ALL

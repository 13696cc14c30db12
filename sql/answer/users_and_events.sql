-- The users of a recommender's events as texts, and how many events there are.
SELECT list(_u.user_id) AS users, sum(_u.events) AS events
FROM (
    SELECT CAST(_e.user_id AS VARCHAR) AS user_id, count(*) AS events
    FROM ${schema}.events AS _e
    GROUP BY _e.user_id
) AS _u

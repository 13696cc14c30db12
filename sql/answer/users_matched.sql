-- Of which users which predicates are true; the users are given as texts.
SELECT CAST(_u.user_id AS VARCHAR) AS user_id, _u.* EXCLUDE (user_id)
FROM (
    SELECT user_id, ${columns}
    FROM ${schema}.users
    WHERE user_id IN (SELECT TRY_CAST(unnest(?) AS ${user_type}))
) AS _u

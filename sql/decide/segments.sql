-- The segment of each user.
SELECT _u.user_id AS user_id, any_value(CAST((${segment}) AS VARCHAR)) AS segment
FROM ${schema}.users AS _u
GROUP BY _u.user_id

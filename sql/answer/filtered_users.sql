-- The users that a filter lets through, as texts.
SELECT DISTINCT CAST(_i.user_id AS VARCHAR) AS user_id
FROM (SELECT * FROM ${schema}.users WHERE ${predicate}) AS _i

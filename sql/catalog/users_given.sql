-- The users of a table or query, as texts of their type; ids that cannot be of it are left out.
SELECT DISTINCT CAST(TRY_CAST(_u.${column} AS ${user_type}) AS VARCHAR) AS user_id
FROM (SELECT * FROM ${relation}) AS _u
WHERE TRY_CAST(_u.${column} AS ${user_type}) IS NOT NULL
ORDER BY ALL

-- What was done to which user on which day since 1970, once, and who was held back from it.
SELECT
    CAST(TRY_CAST(_t.${user} AS ${user_type}) AS VARCHAR) AS user_id,
    CAST(_t.${action} AS VARCHAR) AS action,
    CAST(floor(epoch(CAST(_t.${sent_at} AS TIMESTAMP)) / 86400) AS BIGINT) AS day,
    bool_and(coalesce(_t.${held_back}, false)) AS held_back
FROM ${table} AS _t
WHERE
    TRY_CAST(_t.${user} AS ${user_type}) IS NOT NULL
    AND _t.${action} IS NOT NULL
    AND isfinite(CAST(_t.${sent_at} AS TIMESTAMP))
GROUP BY ALL
ORDER BY ALL

-- How often a table has each item for each user, in so many days before a moment, as seen_often has it for some.
SELECT
    CAST(TRY_CAST(_s.${user_id} AS ${user_type}) AS VARCHAR) AS user,
    _v.item_index AS item,
    count(*) AS times
FROM ${table} AS _s
JOIN ${catalogue} AS _v ON _v.item_id = TRY_CAST(_s.${item_id} AS ${item_type})
WHERE
    _s.${at} <= $$moment
    AND _s.${at} > $$moment - to_days(${days})
    AND TRY_CAST(_s.${user_id} AS ${user_type}) IS NOT NULL
GROUP BY ALL
ORDER BY user

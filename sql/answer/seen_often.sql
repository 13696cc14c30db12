-- How often a table has each item for some users, in so many days before a moment of each.
SELECT _a._row AS row, _v.item_index AS item, count(*) AS times
FROM
    (
        SELECT
            unnest(range(len($$users))) AS _row,
            TRY_CAST(unnest($$users) AS ${user_type}) AS _user,
            unnest($$moments) AS _until
    ) AS _a
JOIN ${table} AS _s
    ON
        TRY_CAST(_s.${user_id} AS ${user_type}) = _a._user
        AND _s.${at} <= _a._until
        AND _s.${at} > _a._until - to_days(${days})
JOIN ${catalogue} AS _v ON _v.item_id = TRY_CAST(_s.${item_id} AS ${item_type})
GROUP BY ALL

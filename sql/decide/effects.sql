-- By what the units of items are multiplied: of several factors of an item, by all of them.
SELECT
    CAST(TRY_CAST(_t.${item} AS ${item_type}) AS VARCHAR) AS item_id,
    product(CAST(_t.${factor} AS DOUBLE)) AS factor
FROM ${table} AS _t
WHERE _t.${factor} IS NOT NULL
GROUP BY 1

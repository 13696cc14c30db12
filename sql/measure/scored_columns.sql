-- The score of items for a user, with their columns: that which is asked about, those that contend for
-- the list, and some of the catalogue.
WITH _some AS (
    SELECT _r.item_id
    FROM ${schema}.recommend(?, k => ${contenders}, weights => ${weights}) AS _r
    UNION
    SELECT _v.item_id
    FROM ${schema}.item_vectors AS _v
    WHERE _v.listed
    QUALIFY row_number() OVER (ORDER BY hash(_v.item_index)) <= ${others}
    UNION
    SELECT TRY_CAST(? AS ${item_type})
)
SELECT
    _s.item_id IS NOT DISTINCT FROM TRY_CAST(? AS ${item_type}) AS "asked about",
    ${schema}.score(?, _s.item_id, weights => ${weights}) AS "score for the user",
    round(exp(_v.statistics[1]) - 1) AS "users of the item"${columns}
FROM _some AS _s
JOIN ${schema}.item_vectors AS _v ON _v.item_id = _s.item_id
LEFT JOIN morec_columns AS _c ON _c.item_id = _s.item_id
ORDER BY _v.item_index

-- The number of the category of each changed item: that of the version, or the next ones for new
-- categories; -1 without one.
WITH _known AS (
    SELECT _i.category, max(_v.objectives[${place}]) AS code
    FROM (SELECT item_id, ${category} AS category FROM ${schema}.items) AS _i
    JOIN ${item_vectors} AS _v ON _v.item_id = _i.item_id
    WHERE _i.category IS NOT NULL
    GROUP BY _i.category
),
_new AS (
    SELECT
        _c.category,
        (SELECT max(_v.objectives[${place}]) FROM ${item_vectors} AS _v)
        + row_number() OVER (ORDER BY _c.category) AS code
    FROM (SELECT DISTINCT ${column} AS category FROM morec_items) AS _c
    WHERE _c.category IS NOT NULL AND _c.category NOT IN (SELECT category FROM _known)
)
SELECT coalesce(_k.code, _n.code, -1) AS code
FROM morec_items AS _m
LEFT JOIN _known AS _k ON _k.category = _m.${column}
LEFT JOIN _new AS _n ON _n.category = _m.${column}
ORDER BY _m.item_index

-- How many items of the version are gone from the items of today, and how many are back.
SELECT
    count(*) FILTER (_v.listed AND _n.item_id IS NULL) AS gone,
    count(*) FILTER (NOT _v.listed AND _n.item_id IS NOT NULL) AS back
FROM ${item_vectors} AS _v
LEFT JOIN morec_now AS _n ON _n.item_id = _v.item_id

-- The indices of the items that a filter lets through, in order.
SELECT DISTINCT _v.item_index
FROM (SELECT * FROM ${schema}.items WHERE ${predicate}) AS _i
JOIN ${catalogue} AS _v ON _v.item_id = _i.item_id
ORDER BY _v.item_index

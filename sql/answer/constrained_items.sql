-- What the constraints of a query are about, one row per item in the order of its index.
SELECT _v.item_index, _i.* EXCLUDE (_item)
FROM ${catalogue} AS _v
LEFT JOIN (
    SELECT DISTINCT ON (item_id) item_id AS _item, ${columns} FROM ${schema}.items
) AS _i ON _i._item = _v.item_id
ORDER BY _v.item_index

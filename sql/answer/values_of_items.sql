-- Values of columns and expressions over the items, with the index of each in the catalogue.
SELECT _v.item_index AS _place, _i.* EXCLUDE (_item)
FROM (SELECT item_id AS _item, ${columns} FROM ${schema}.items) AS _i
JOIN ${catalogue} AS _v ON _v.item_id = _i._item

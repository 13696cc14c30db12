-- The items of a version, and those that are read.
SELECT _v.item_id FROM ${item_vectors} AS _v
UNION
SELECT _i.item_id FROM morec_items AS _i

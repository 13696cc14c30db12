-- The number of an item in the catalogue, NULL where it is not there.
SELECT _j.item_index
FROM ${schema}.item_vectors AS _j
WHERE _j.item_id = greatest(TRY_CAST(item_id AS ${item_type}))

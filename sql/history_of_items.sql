-- The items in a list as events of mean weight, just now; names as in the history of a user.
SELECT list({
    'item': _v._item_index,
    'time': CAST(NULL AS DOUBLE),
    'weight': CAST(NULL AS FLOAT)
})
FROM (
    SELECT _i.item_id AS _item_id, _i.item_index AS _item_index FROM ${schema}.item_vectors AS _i
) AS _v
WHERE list_contains(CAST(items AS ${key_type}), _v._item_id)

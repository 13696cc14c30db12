-- The items in the list _a._key as events of mean weight, just now.
SELECT list({
    'item': _v.item_index,
    'time': CAST(NULL AS DOUBLE),
    'weight': CAST(NULL AS FLOAT)
})
FROM ${schema}.item_vectors AS _v
WHERE list_contains(_a._key, _v.item_id)

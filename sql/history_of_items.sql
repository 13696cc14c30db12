-- The items in the list _a._key as a history of one event each, just now.
SELECT
    list({
        'item': _v.item_index, 'short': 1, 'medium': 1, 'long': 1, 'count': 1, 'last': 0, 'first': 0
    } ORDER BY _v.item_index)
FROM ${schema}.item_vectors AS _v
WHERE list_contains(_a._key, _v.item_id)

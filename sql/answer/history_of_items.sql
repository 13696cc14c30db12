-- The items in a list as events of mean weight, just now: numbers as in the history of a user,
-- without a time, and with a weight of 0.
SELECT list(
    CAST(-4611686018427387904 AS HUGEINT) * 18446744073709551616
    + CAST(_v._item_index AS BIGINT) * 4294967296
)
FROM (
    SELECT _i.item_id AS _item_id, _i.item_index AS _item_index FROM ${schema}.item_vectors AS _i
) AS _v
WHERE list_contains(TRY_CAST(items AS ${item_type}[]), _v._item_id)

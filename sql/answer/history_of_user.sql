-- The events of a user in the warehouse, as one list. The macro's argument stands in it as it came, so
-- that a constant is looked up and a column is joined once; columns get names of our own before, so
-- that a column in the argument cannot meet them. What is later than as_of is left out afterwards:
-- with a second condition of that kind DuckDB would gather the lists on one core.
-- greatest of one value is that value. It is there since DuckDB may plan what depends on a column of
-- the table's own type by gathering the lists of all users, however few of them are asked for; an
-- expression it joins to the events first.
-- An event is one whole number, since lists of numbers are gathered three times as fast as lists of
-- structs: from the highest bits down, 64 for the microsecond (-2^62 without a time), 32 for the item
-- and 32 for the weight, 2^31 and its binary logarithm in units of 2^-20.
-- Where attributes of users count, friends or what was shown, list_concat puts their labels behind, what
-- these took, or what it was.
SELECT ${with_more}(list(
    CAST(coalesce(epoch_us(_x._event_time), -4611686018427387904) AS HUGEINT)
    * 18446744073709551616
    + (
        CAST(_v._item_index AS BIGINT) * 4294967296
        + CAST(round(log2(_x._weight) * 1048576) AS BIGINT) + 2147483648
    )
)${more})
FROM (
    SELECT
        _e.user_id AS _user_id,
        _e.item_id AS _item_id,
        _e.event_time AS _event_time,
        _e.weight AS _weight
    FROM ${schema}.events AS _e
) AS _x
JOIN (
    SELECT _i.item_id AS _item_id, _i.item_index AS _item_index FROM ${schema}.item_vectors AS _i
) AS _v ON _v._item_id = _x._item_id
WHERE _x._user_id = greatest(TRY_CAST(user_id AS ${user_type}))

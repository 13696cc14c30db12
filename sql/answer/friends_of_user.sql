-- What the friends of a user took, behind the events: for each of them and item when it was first, so
-- that it holds as of any time after, an event whose microsecond is counted from -3 * 2^61, with the
-- weight of the friendship; the latest of many, since the microsecond is in the highest bits, or where
-- there is no time as if drawn at random. Of many friends those count whose weight is largest.
, (
    SELECT arg_max(_k._packed, ${latest}, ${most})
    FROM (
        SELECT
            CAST(
                -6917529027641081856 + coalesce(epoch_us(min(_e.event_time)), 0) AS HUGEINT
            ) * 18446744073709551616
            + (
                CAST(_v.item_index AS BIGINT) * 4294967296
                + CAST(round(log2(max(_f._weight)) * 1048576) AS BIGINT) + 2147483648
            ) AS _packed
        FROM (
            SELECT _x._friend_id, _x._weight
            FROM (
                SELECT _g.user_id AS _user_id, _g.friend_id AS _friend_id, _g.weight AS _weight
                FROM ${schema}.user_graph AS _g
            ) AS _x
            WHERE _x._user_id = greatest(TRY_CAST(user_id AS ${user_type}))
            ORDER BY _x._weight DESC, _x._friend_id
            LIMIT ${friends}
        ) AS _f
        JOIN ${schema}.events AS _e ON _e.user_id = _f._friend_id
        JOIN ${schema}.item_vectors AS _v ON _v.item_id = _e.item_id
        GROUP BY _f._friend_id, _v.item_index
    ) AS _k
)

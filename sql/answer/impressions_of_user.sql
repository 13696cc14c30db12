-- What the user was shown, behind the events: an event whose microsecond is counted from -7 * 2^60, with
-- the place in the list for its weight; the latest of many, since the microsecond is in the highest bits.
, (
    SELECT arg_max(_k._packed, _k._packed, ${most})
    FROM (
        SELECT
            CAST(-8070450532247928832 + epoch_us(_s._shown_at) AS HUGEINT) * 18446744073709551616
            + (
                CAST(_v.item_index AS BIGINT) * 4294967296
                + CAST(round(log2(_s._place) * 1048576) AS BIGINT) + 2147483648
            ) AS _packed
        FROM (
            SELECT _x._item_id, _x._shown_at, _x._place
            FROM (
                SELECT
                    _i.user_id AS _user_id,
                    _i.item_id AS _item_id,
                    _i.shown_at AS _shown_at,
                    _i.place AS _place
                FROM ${schema}.impressions AS _i
            ) AS _x
            WHERE _x._user_id = greatest(TRY_CAST(user_id AS ${user_type}))
        ) AS _s
        JOIN ${schema}.item_vectors AS _v ON _v.item_id = _s._item_id
    ) AS _k
)

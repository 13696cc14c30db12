-- Impressions in the order of their times: how often the user had been shown the item in so many days
-- before, the place in the list, whether the user took it soon after, and what shares of the
-- impressions of the user and of the item before were taken, drawn towards that of all. What a user
-- had taken before is left out. A user in so many may be read alone.
SELECT
    _t.user_id AS user_id,
    _t.times AS times,
    _t.place AS place,
    _t.taken AS taken,
    coalesce(sum(CAST(_t.taken AS DOUBLE)) OVER _of_user, 0) AS taken_by_user,
    count(*) OVER _of_user AS shown_to_user,
    coalesce(sum(CAST(_t.taken AS DOUBLE)) OVER _of_item, 0) AS taken_of_item,
    count(*) OVER _of_item AS shown_of_item
FROM (
    SELECT
        _n.*,
        coalesce(_n.next <= _n.at + to_days(${within}), false) AS taken,
        count(*) OVER (
            PARTITION BY _n.user_id, _n.item_id
            ORDER BY _n.at
            RANGE BETWEEN to_days(${days}) PRECEDING AND CURRENT ROW
        ) - 1 AS times
    FROM (
        SELECT
            _i.user_id,
            _i.item_id,
            _i.at,
            _i.place,
            _f.event_time AS next,
            _p.event_time AS previous
        FROM (
            SELECT
                TRY_CAST(_s.${user} AS ${user_type}) AS user_id,
                TRY_CAST(_s.${item} AS ${item_type}) AS item_id,
                CAST(_s.${at} AS TIMESTAMP) AS at,
                ${place} AS place
            FROM ${table} AS _s
            WHERE ${one_in} = 1 OR hash(_s.${user}) % ${one_in} = 0
        ) AS _i
        ASOF LEFT JOIN ${events} AS _f
            ON _f.user_id = _i.user_id AND _f.item_id = _i.item_id AND _f.event_time > _i.at
        ASOF LEFT JOIN ${events} AS _p
            ON _p.user_id = _i.user_id AND _p.item_id = _i.item_id AND _p.event_time <= _i.at
        WHERE _i.user_id IS NOT NULL AND _i.item_id IS NOT NULL AND isfinite(_i.at)
    ) AS _n
    WHERE _n.previous IS NULL
) AS _t
WHERE _t.at + to_days(${within}) <= (SELECT max(_e.event_time) FROM ${events} AS _e)
WINDOW
    _of_user AS (
        PARTITION BY _t.user_id ORDER BY _t.at, _t.item_id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ),
    _of_item AS (
        PARTITION BY _t.item_id ORDER BY _t.at, _t.user_id
        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    )

-- In what rhythm users take items again: when the next is to be expected by the mean of the days
-- between, and the interval that holds four of five (of one gap alone, half of it to either side).
SELECT
    _m._user_id AS user_id,
    _m._item_id AS item_id,
    _m._times AS times,
    _m._last AS last,
    _m._last + CAST(_m._mean AS INTEGER) AS expected,
    _m._last + CAST(_m._mean - least(_m._around, _m._mean - 1) AS INTEGER) AS earliest,
    _m._last + CAST(_m._mean + _m._around AS INTEGER) AS latest
FROM (
    SELECT
        _g._user_id AS _user_id,
        _g._item_id AS _item_id,
        max(_g._day) AS _last,
        count(*) AS _times,
        avg(_g._gap) AS _mean,
        greatest(
            coalesce(
                1.2816 * stddev_samp(_g._gap) * sqrt(1 + 1 / count(_g._gap)), avg(_g._gap) / 2
            ),
            1
        ) AS _around
    FROM (
        SELECT
            _d._user_id AS _user_id,
            _d._item_id AS _item_id,
            _d._day AS _day,
            _d._day - lag(_d._day) OVER (
                PARTITION BY _d._user_id, _d._item_id ORDER BY _d._day
            ) AS _gap
        FROM (
            SELECT DISTINCT
                _e.user_id AS _user_id,
                _e.item_id AS _item_id,
                CAST(_e.event_time AS DATE) AS _day
            FROM ${schema}.events AS _e
        ) AS _d
    ) AS _g
    GROUP BY _g._user_id, _g._item_id
) AS _m

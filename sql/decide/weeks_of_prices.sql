-- The mean price of each item in each week, counted back from a moment, the last price, and the share
-- of the week in which it was under each kind of promotion, by a table of prices that hold until the
-- next of their item.
SELECT
    _w.item_id,
    _w.week,
    sum(_w.price * _w.seconds) / sum(_w.seconds) AS price,
    max_by(_w.price, _w.since) AS latest
    ${promoted}
FROM (
    SELECT
        _u.* EXCLUDE (later),
        least(_u.later, (_u.week + 1) * 604800) - greatest(_u.since, _u.week * 604800) AS seconds
    FROM (
        SELECT
            _s.*,
            unnest(range(
                CAST(floor(_s.since / 604800) AS BIGINT), CAST(ceil(_s.later / 604800) AS BIGINT)
            )) AS week
        FROM (
            SELECT
                _p.* EXCLUDE (starts),
                greatest(epoch(_p.starts), ${first}) - ${until} AS since,
                least(
                    coalesce(
                        lead(epoch(_p.starts)) OVER (PARTITION BY _p.item_id ORDER BY _p.starts),
                        ${until}
                    ),
                    ${until}
                ) - ${until} AS later
            FROM (
                SELECT
                    CAST(TRY_CAST(_t.${item} AS ${item_type}) AS VARCHAR) AS item_id,
                    CAST(_t.${price} AS DOUBLE) AS price,
                    CAST(_t.${starts} AS TIMESTAMP) AS starts${kinds}
                FROM ${table} AS _t
            ) AS _p
            WHERE _p.item_id IS NOT NULL AND _p.price > 0 AND isfinite(_p.price) AND isfinite(_p.starts)
        ) AS _s
        WHERE _s.since < _s.later
    ) AS _u
) AS _w
GROUP BY ALL
ORDER BY _w.item_id, _w.week

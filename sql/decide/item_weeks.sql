-- What items sold in each week, counted back from a moment, at which mean price, and what share of the
-- units was under each kind of promotion; in each store, and to each segment of users, whose name stands
-- behind that of the item then. Rows without units or a price above 0, such as returns, are left out.
SELECT
    CAST(_c.item_id AS VARCHAR) || coalesce(chr(31) || _g.segment, '') AS item_id,
    CAST(floor((epoch(_c.event_time) - ${until}) / 604800) AS BIGINT) AS week,
    CAST(_c.store AS VARCHAR) AS store,
    sum(_c.quantity) AS units,
    sum(_c.revenue) / sum(_c.quantity) AS price
    ${promoted}
FROM (
    SELECT
        _r.* EXCLUDE (quantity, revenue),
        CAST(_r.quantity AS DOUBLE) AS quantity,
        CAST(_r.revenue AS DOUBLE) AS revenue
    FROM (${events}) AS _r
) AS _c
LEFT JOIN (
    ${segments}
) AS _g ON _g.user_id = _c.user_id
WHERE
    ${usable}
    AND _c.quantity > 0
    AND _c.revenue > 0
    AND isfinite(_c.quantity)
    AND isfinite(_c.revenue)
    AND epoch(_c.event_time) < ${until}
    AND (${everybody} OR _g.segment IS NOT NULL)
GROUP BY ALL
ORDER BY item_id, week, store

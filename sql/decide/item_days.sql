-- The units of each item that each user took on each day, before a moment, by what items are told apart
-- by; returns are left out.
SELECT
    CAST(_c.user_id AS VARCHAR) AS user_id,
    CAST(_c.item_id AS VARCHAR) AS item_id,
    CAST(_c.segment AS VARCHAR) AS segment,
    floor(epoch(_c.event_time) / 86400) AS day,
    sum(_c.quantity) AS units
FROM (
    SELECT _r.* EXCLUDE (quantity), CAST(_r.quantity AS DOUBLE) AS quantity FROM (${events}) AS _r
) AS _c
WHERE
    ${usable}
    AND _c.quantity > 0
    AND isfinite(_c.quantity)
    AND epoch(_c.event_time) < ${until}
GROUP BY ALL
ORDER BY ALL

-- The orders of each user, one a day at most, as lists of days since 1970 and of what each brought.
SELECT
    CAST(_d.user_id AS VARCHAR) AS user_id,
    list(_d.day ORDER BY _d.day) AS days,
    list(_d.value ORDER BY _d.day) AS value
FROM (
    SELECT
        _c.user_id AS user_id,
        floor(epoch(_c.event_time) / 86400) AS day,
        coalesce(sum(CAST(_c.value AS DOUBLE)), 0) AS value,
        bool_or(${counts}) AS counts
    FROM (${purchases}) AS _c
    WHERE ${usable} AND epoch(_c.event_time) < ${until}
    GROUP BY ALL
) AS _d
WHERE _d.counts
GROUP BY _d.user_id
ORDER BY _d.user_id

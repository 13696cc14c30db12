-- The seconds of the first event of a recommender, and those up to which its weeks count: events that are
-- all at midnight are of whole days, and those that are all whole weeks apart are of weeks that begin
-- then, such as sales by week.
SELECT
    _k.first,
    _k.last + CASE
        WHEN bool_and((epoch(_e.event_time) - _k.last) % (7 * ${day}) = 0) AND _k.first < _k.last
            THEN 7 * ${day}
        WHEN bool_and(epoch(_e.event_time) % ${day} = 0) THEN ${day}
        ELSE 1
    END
FROM
    ${schema}.events AS _e,
    (
        SELECT epoch(min(event_time)) AS first, epoch(max(event_time)) AS last FROM ${schema}.events
    ) AS _k
GROUP BY _k.first, _k.last

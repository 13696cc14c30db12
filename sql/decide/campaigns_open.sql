-- The campaigns that are not over at a moment, and that a predicate keeps, the first to end first.
SELECT
    CAST(_c.campaign_id AS VARCHAR) AS campaign_id,
    epoch(_c.starts) AS starts,
    epoch(_c.ends) AS ends
FROM (SELECT * FROM ${schema}.campaigns WHERE ${predicate}) AS _c
WHERE epoch(_c.ends) > ${at}
ORDER BY _c.ends, _c.campaign_id

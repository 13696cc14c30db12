-- The campaigns that a recommender knows of, the earliest first, with what there is of each, and when its
-- events begin and end.
SELECT
    CAST(_c.campaign_id AS VARCHAR) AS campaign_id,
    epoch(_c.starts) AS starts,
    epoch(_c.ends) AS ends,
    coalesce(any_value(_m.members), 0) AS members,
    coalesce(any_value(_r.redeemers), 0) AS redeemers,
    any_value(_e.first) AS first,
    any_value(_e.last) AS last
FROM ${schema}.campaigns AS _c
LEFT JOIN (
    SELECT campaign_id, count(*) AS members FROM ${schema}.campaign_members GROUP BY ALL
) AS _m ON _m.campaign_id = _c.campaign_id
LEFT JOIN (
    SELECT campaign_id, count(DISTINCT user_id) AS redeemers
    FROM ${schema}.campaign_redemptions
    GROUP BY ALL
) AS _r ON _r.campaign_id = _c.campaign_id
CROSS JOIN (
    SELECT epoch(min(event_time)) AS first, epoch(max(event_time)) AS last FROM ${schema}.events
) AS _e
GROUP BY ALL
ORDER BY starts, campaign_id

-- What is known of users at the moments of offers to them, and what came of the offers until they ended:
-- morec_offers has a place, a user, a campaign and a moment. What was before a moment counts half as
-- much for every half-life that it was earlier.
WITH _offers AS (
    SELECT
        _o.place AS place,
        TRY_CAST(_o.user_id AS ${user_type}) AS user_id,
        _c.campaign_id AS campaign_id,
        make_timestamp(CAST(1e6 * _o.moment AS BIGINT)) AS moment,
        _c.ends AS ends
    FROM morec_offers AS _o
    JOIN ${schema}.campaigns AS _c ON CAST(_c.campaign_id AS VARCHAR) = _o.campaign_id
),

_moments AS (
    SELECT DISTINCT user_id, moment FROM _offers WHERE user_id IS NOT NULL
),

_events AS (
    SELECT
        _p.user_id AS user_id,
        _p.item_id AS item_id,
        _p.event_time AS event_time,
        _p.counts AS counts,
        _p.value AS value,
        _p.discounted AS discounted
    FROM ${schema}.campaign_purchases AS _p
    WHERE _p.user_id IN (SELECT user_id FROM _moments)
),

_activity AS (
    SELECT
        _m.user_id AS user_id,
        _m.moment AS moment,
        sum(pow(2, (epoch(_e.event_time) - epoch(_m.moment)) / ${half_life})) FILTER (_e.counts)
            AS activity,
        sum(pow(2, (epoch(_e.event_time) - epoch(_m.moment)) / ${half_life})) FILTER (_e.discounted)
            AS discounted
    FROM _moments AS _m
    JOIN _events AS _e ON _e.user_id = _m.user_id AND _e.event_time < _m.moment
    GROUP BY ALL
),

_redeemed AS (
    SELECT _m.user_id AS user_id, _m.moment AS moment, count(DISTINCT _r.campaign_id) AS redeemed
    FROM _moments AS _m
    JOIN ${schema}.campaign_redemptions AS _r ON _r.user_id = _m.user_id
    JOIN ${schema}.campaigns AS _c ON _c.campaign_id = _r.campaign_id
    WHERE coalesce(_r.redeemed_at, _c.ends) < _m.moment
    GROUP BY ALL
),

_offered AS (
    SELECT
        _m.user_id AS user_id,
        _m.moment AS moment,
        sum(pow(2, (epoch(_c.starts) - epoch(_m.moment)) / ${half_life})) AS offered
    FROM _moments AS _m
    JOIN ${schema}.campaign_members AS _k ON _k.user_id = _m.user_id AND NOT _k.control
    JOIN ${schema}.campaigns AS _c ON _c.campaign_id = _k.campaign_id
    WHERE _c.starts < _m.moment
    GROUP BY ALL
),

_sizes AS (
    SELECT _i.campaign_id AS campaign_id, count(*) AS size
    FROM (${items}) AS _i
    WHERE _i.campaign_id IN (SELECT campaign_id FROM _offers)
    GROUP BY ALL
),

_bought AS (
    SELECT
        _o.place AS place,
        sum(pow(2, (epoch(_e.event_time) - epoch(_o.moment)) / ${half_life}))
            FILTER (_e.counts AND _e.event_time < _o.moment) AS bought,
        count(*) FILTER (_e.counts AND _e.event_time >= _o.moment) AS purchases,
        sum(_e.value) FILTER (_e.event_time >= _o.moment) AS value
    FROM _offers AS _o
    JOIN _events AS _e ON _e.user_id = _o.user_id AND _e.event_time <= _o.ends
    SEMI JOIN (${items}) AS _i
        ON _i.campaign_id = _o.campaign_id AND _i.item_id = _e.item_id
    GROUP BY ALL
),

_took AS (
    SELECT DISTINCT campaign_id, user_id FROM ${schema}.campaign_redemptions
)

SELECT
    _o.place AS place,
    ln(1 + coalesce(_a.activity, 0)) AS activity,
    ln(1 + coalesce(_b.bought, 0)) AS bought,
    ln(1 + coalesce(_r.redeemed, 0)) AS redeemed,
    ln(1 + coalesce(_f.offered, 0)) AS offered,
    ln(1 + coalesce(_a.discounted, 0)) AS discounted,
    ln(1 + coalesce(_s.size, 0)) AS size,
    _k.user_id IS NOT NULL AS member,
    _t.user_id IS NOT NULL AS took,
    coalesce(_b.purchases, 0) AS purchases,
    coalesce(_b.value, 0) AS value
FROM _offers AS _o
LEFT JOIN _activity AS _a ON _a.user_id = _o.user_id AND _a.moment = _o.moment
LEFT JOIN _redeemed AS _r ON _r.user_id = _o.user_id AND _r.moment = _o.moment
LEFT JOIN _offered AS _f ON _f.user_id = _o.user_id AND _f.moment = _o.moment
LEFT JOIN _sizes AS _s ON _s.campaign_id = _o.campaign_id
LEFT JOIN _bought AS _b ON _b.place = _o.place
LEFT JOIN ${schema}.campaign_members AS _k
    ON _k.campaign_id = _o.campaign_id AND _k.user_id = _o.user_id
LEFT JOIN _took AS _t ON _t.campaign_id = _o.campaign_id AND _t.user_id = _o.user_id
ORDER BY _o.place

-- What a purchase of the items of campaigns had brought on average before a moment: that of all items
-- counts as ${prior} purchases more. morec_moments has campaigns and moments.
WITH _moments AS (
    SELECT
        _m.place AS place,
        _c.campaign_id AS campaign_id,
        make_timestamp(CAST(1e6 * _m.moment AS BIGINT)) AS moment
    FROM morec_moments AS _m
    JOIN ${schema}.campaigns AS _c ON CAST(_c.campaign_id AS VARCHAR) = _m.campaign_id
),

_items AS (
    SELECT _p.item_id AS item_id, _t.moment AS moment, sum(_p.value) AS value, count(*) FILTER (_p.counts) AS purchases
    FROM ${schema}.campaign_purchases AS _p
    JOIN (SELECT DISTINCT moment FROM _moments) AS _t ON _p.event_time < _t.moment
    GROUP BY ALL
),

_all AS (
    SELECT moment, sum(value) / nullif(sum(purchases), 0) AS worth FROM _items GROUP BY ALL
)

SELECT
    _m.place AS place,
    coalesce(
        (coalesce(sum(_i.value), 0) + ${prior} * any_value(_a.worth))
        / (coalesce(sum(_i.purchases), 0) + ${prior}),
        0
    ) AS worth
FROM _moments AS _m
LEFT JOIN _all AS _a ON _a.moment = _m.moment
LEFT JOIN (${items}) AS _k ON _k.campaign_id = _m.campaign_id
LEFT JOIN _items AS _i ON _i.item_id = _k.item_id AND _i.moment = _m.moment
GROUP BY _m.place
ORDER BY _m.place

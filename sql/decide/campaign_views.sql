-- The user's tables of campaigns under standard names: which there are, whom they were offered to, which
-- items they are about, what came of them, and what purchases brought. Of several rows of a campaign the
-- first to start counts. None reads a view of ours that is made anew by a training: what is exported would
-- be imported before it.
CREATE OR REPLACE VIEW ${schema}.campaigns AS
SELECT ${campaign_columns}
FROM ${campaigns} AS _i
WHERE ${campaign_usable}
QUALIFY row_number() OVER (PARTITION BY ${campaign_id} ORDER BY ${campaign_order}) = 1;

CREATE OR REPLACE VIEW ${schema}.campaign_members AS
SELECT
    ${member_campaign} AS campaign_id,
    ${member_user} AS user_id,
    coalesce(bool_or(${control}), false) AS control
FROM ${members} AS _i
WHERE ${member_campaign} IS NOT NULL AND ${member_user} IS NOT NULL
GROUP BY ALL;

CREATE OR REPLACE VIEW ${schema}.campaign_items AS
SELECT DISTINCT _k.campaign_id AS campaign_id, _k.item_id AS item_id
FROM (${coupons}) AS _k
WHERE _k.campaign_id IS NOT NULL AND _k.item_id IS NOT NULL;

CREATE OR REPLACE VIEW ${schema}.campaign_redemptions AS
SELECT
    ${redemption_campaign} AS campaign_id,
    ${redemption_user} AS user_id,
    ${redeemed_at} AS redeemed_at
FROM ${redemptions} AS _i
WHERE ${redemption_campaign} IS NOT NULL AND ${redemption_user} IS NOT NULL;

CREATE OR REPLACE VIEW ${schema}.campaign_purchases AS
SELECT
    _c.user_id AS user_id,
    _c.item_id AS item_id,
    _c.event_time AS event_time,
    ${counts} AS counts,
    CAST(_c.value AS DOUBLE) AS value,
    coalesce(_c.discount > 0, false) AS discounted
FROM (${purchases}) AS _c
WHERE ${purchase_usable};

-- The items that campaigns are about: all, where nothing is said.
SELECT _k.campaign_id AS campaign_id, _k.item_id AS item_id FROM ${schema}.campaign_items AS _k
UNION ALL
SELECT _c.campaign_id, _v.item_id
FROM ${schema}.campaigns AS _c, ${schema}.item_vectors AS _v
WHERE _c.campaign_id NOT IN (SELECT _k.campaign_id FROM ${schema}.campaign_items AS _k)

-- The numbers of the items that a campaign is about.
SELECT DISTINCT _v.item_index AS item_index
FROM (${items}) AS _k
JOIN ${numbered} AS _v ON _v.item_id = _k.item_id
WHERE CAST(_k.campaign_id AS VARCHAR) = ?
ORDER BY item_index

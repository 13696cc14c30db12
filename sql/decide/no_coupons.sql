-- Nothing said of which items campaigns are about.
SELECT CAST(NULL AS ${campaign_type}) AS campaign_id, CAST(NULL AS ${item_type}) AS item_id
WHERE false

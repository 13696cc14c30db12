-- Which items campaigns are about.
SELECT ${campaign} AS campaign_id, ${item} AS item_id
FROM ${coupons} AS _i

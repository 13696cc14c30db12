-- What users were shown, that counts.
CREATE OR REPLACE VIEW ${schema}.impressions AS
SELECT _s.user_id, _s.item_id, _s.shown_at, _s.place
FROM (${shown}) AS _s
WHERE ${usable};

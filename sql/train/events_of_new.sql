-- The events of new items, as the recommender reads them.
CREATE TEMP TABLE morec_raw_events AS
SELECT _e.user_id, _e.item_id, _e.event_time, _e.weight, _e.wanted
FROM ${schema}.events AS _e
WHERE _e.item_id IN (SELECT _c.item_id FROM morec_changed AS _c WHERE _c.item_index IS NULL);

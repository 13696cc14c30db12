-- The events that count: ids present, a finite time, a positive finite weight, outliers capped.
CREATE OR REPLACE VIEW ${schema}.events AS
SELECT
    _c.user_id AS user_id,
    _c.item_id AS item_id,
    ${event_time} AS event_time,
    least(_c.weight, ${weight_cap}) AS weight,
    _c.wanted AS wanted
FROM (${events_raw}) AS _c
WHERE ${usable};

-- Every item of the items table and of the events, once, with its text and its raw objectives, of
-- which some are aggregates over its events.
CREATE TEMP TABLE morec_items AS
SELECT
    CAST(row_number() OVER (ORDER BY _u.item_id) - 1 AS INTEGER) AS item_index,
    _u.item_id,
    _d.item_id IS NOT NULL AS _declared,
    _d.* EXCLUDE (item_id),
    _a.* EXCLUDE (item_id)
FROM (
    SELECT item_id FROM morec_raw_items
    UNION
    SELECT item_id FROM morec_raw_events
) AS _u
LEFT JOIN (
    SELECT DISTINCT ON (item_id) * FROM morec_raw_items ORDER BY item_id, _text
) AS _d ON _d.item_id = _u.item_id
LEFT JOIN (
    SELECT ${item_id} AS item_id${of_events}, true AS _has_events
    FROM ${events} AS _e
    WHERE ${before}
    GROUP BY 1
) AS _a ON _a.item_id = _u.item_id
ORDER BY item_index

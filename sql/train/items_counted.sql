-- How items and events meet: the events of items that the items table lacks, and the items without
-- an event, each with an example.
SELECT
    count(*) FILTER (NOT _i._declared) AS lacking_items,
    coalesce(sum(_e.events) FILTER (NOT _i._declared), 0) AS lacking_events,
    CAST(min(_i.item_id) FILTER (NOT _i._declared) AS VARCHAR) AS lacking,
    count(*) FILTER (_e.item_id IS NULL) AS without_event,
    CAST(min(_i.item_id) FILTER (_e.item_id IS NULL) AS VARCHAR) AS without
FROM morec_items AS _i
LEFT JOIN (
    SELECT item_id, count(*) AS events FROM morec_raw_events GROUP BY item_id
) AS _e ON _e.item_id = _i.item_id

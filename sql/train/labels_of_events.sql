-- The events with the labels of their context; of many, those of every so many users.
CREATE TEMP TABLE morec_context AS
SELECT
    CAST(row_number() OVER () - 1 AS INTEGER) AS "row",
    _u.user_index AS user_index,
    _i.item_index AS item_index,
    coalesce(epoch(_c.event_time), 0) AS event_time,
    ${labels} AS labels
FROM (${events}) AS _c
JOIN morec_users AS _u ON _u.user_id = _c.user_id
JOIN morec_items AS _i ON _i.item_id = _c.item_id
WHERE ${usable} AND _u.user_index % ${every} = 0;

CREATE TEMP TABLE morec_labelled AS
SELECT _c.user_index AS user_index, _c."row" AS "row", unnest(_c.labels) AS label
FROM morec_context AS _c;

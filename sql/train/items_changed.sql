-- The items of today, and those of them whose text is not that of the version, or that it lacks
-- (without an item_index), numbered in the order of their ids.
CREATE TEMP TABLE morec_now AS
SELECT _n.item_id, min(_n._text) AS _text
FROM (${items}) AS _n
GROUP BY _n.item_id;

CREATE TEMP TABLE morec_changed AS
SELECT
    CAST(row_number() OVER (ORDER BY _n.item_id) - 1 AS INTEGER) AS place,
    _n.item_id,
    _v.item_index,
    _n._text
FROM morec_now AS _n
LEFT JOIN ${item_vectors} AS _v ON _v.item_id = _n.item_id
LEFT JOIN ${texts} AS _t ON _t.text_id = _v.text_id
WHERE _v.item_index IS NULL OR _t.text IS DISTINCT FROM _n._text;

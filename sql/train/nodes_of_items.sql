-- The node of each item that is read.
SELECT _n.number AS number
FROM morec_items AS _i
JOIN morec_nodes AS _n ON _n.name = CAST(_i.item_id AS VARCHAR) AND _n.is_item
ORDER BY _i.item_index

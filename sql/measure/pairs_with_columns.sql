-- The pairs with the columns of their items, and what share of the user's history is like the item.
SELECT _p.number, _p.listed, _p.times, _p.size, _p.users${columns}${shares}
FROM morec_pairs AS _p
LEFT JOIN morec_columns AS _c ON _c.item_id = _p.item_id
${joins}
ORDER BY _p.number, _p.item_id

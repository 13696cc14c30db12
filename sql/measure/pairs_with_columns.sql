-- The pairs with the columns of their items, and what share of the user's history is like the item.
-- Columns of ours have names of several words, since the items may have any.
SELECT
    _p.number AS "number of the user",
    _p.listed AS "in the list",
    _p.times AS "times taken before",
    _p.size AS "items in the history",
    _p.users AS "users of the item"${columns}${shares}
FROM morec_pairs AS _p
LEFT JOIN morec_columns AS _c ON _c.item_id = _p.item_id
${joins}
ORDER BY _p.number, _p.item_id

-- The items of a basket, as in history_of_items, and labels of who it belongs to.
SELECT list(_p._packed)
FROM (
    SELECT unnest((
        ${items}
    )) AS _packed
    ${labels_of_query}
) AS _p

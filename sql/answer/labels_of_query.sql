-- Beside the items, the labels of what is said of someone.
UNION ALL
SELECT unnest(list_transform(_g._labels, lambda _t: ${packed})) AS _packed
FROM (
    ${given}
) AS _g

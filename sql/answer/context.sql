-- The labels of the context of a query, behind its history.
, (
    SELECT list_transform(_g._labels, lambda _t: ${packed})
    FROM (
        ${given}
    ) AS _g
)

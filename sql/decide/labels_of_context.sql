-- The labels of the context of a query, as histories have them.
SELECT unnest(list_transform(_g._labels, lambda _t: ${packed})) AS _label
FROM
    (SELECT CAST(? AS JSON) AS context) AS _c,
    LATERAL (
        ${given}
    ) AS _g

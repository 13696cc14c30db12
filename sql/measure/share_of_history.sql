-- What share of a user's history each category of a column has.
LEFT JOIN (
    SELECT
        _k.number,
        _c.${column} AS category,
        count(*) / sum(count(*)) OVER (PARTITION BY _k.number) AS share
    FROM morec_known AS _k
    JOIN morec_columns AS _c ON _c.item_id = _k.item_id
    GROUP BY _k.number, _c.${column}
) AS ${alias} ON ${alias}.number = _p.number AND ${alias}.category = _c.${column}

-- The twenty items of which most is expected to be sold, with the quantiles of it.
SELECT
    _p.item_id,
    ${title}any_value(_p.expected) AS expected,
    max(_p.units) FILTER (_p.quantile = 0.1) AS low,
    max(_p.units) FILTER (_p.quantile = 0.5) AS middle,
    max(_p.units) FILTER (_p.quantile = 0.9) AS high,
    any_value(_p.method) AS method
FROM ${rows} AS _p
${items}
GROUP BY ALL
ORDER BY expected DESC
LIMIT 20;

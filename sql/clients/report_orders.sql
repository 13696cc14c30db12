-- The twenty largest orders, and the risk of running out without and with them.
SELECT
    _p.item_id,
    ${title}_p.stock,
    _p.expected,
    _p.units AS to_order,
    _p.stockout_risk,
    _p.risk_after
FROM ${rows} AS _p
${items}
WHERE _p.units > 0
ORDER BY _p.units DESC
LIMIT 20;

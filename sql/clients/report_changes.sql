-- The twenty changes of prices that bring most.
SELECT
    _p.item_id,
    ${title}_p.price,
    _p.new_price,
    _p.units,
    _p.new_units,
    _p.new_profit - _p.profit AS profit_gain,
    _p.elasticity,
    _p.evidence
FROM ${rows} AS _p
${items}
ORDER BY profit_gain DESC, _p.revenue DESC
LIMIT 20;

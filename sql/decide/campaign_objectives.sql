-- What the objectives of campaigns are standardised by, and what stands behind them.
SELECT _o.mean, _o.deviation, _o.default_weight, _s.evidence, _s.half_life
FROM ${schema}.campaign_objectives AS _o, ${schema}.campaign_settings AS _s
ORDER BY _o.position

-- Makes price_response: how the demand of each item answers to its price.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    CAST(_r.item_id AS ${item_type}) AS item_id,
    _r.category AS category,
    _r.elasticity AS elasticity,
    _r.low AS low,
    _r.high AS high,
    _r.promotion AS promotion,
    _r.price AS price,
    _r.units AS units,
    _r.weeks AS weeks,
    _r.prices AS prices,
    _r.evidence AS evidence
FROM ${later} (
    SELECT unnest(${call}) AS _r
) AS _rows;

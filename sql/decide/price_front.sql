-- Makes price_front: what plans of prices trade for what.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    {'profit': _r.weights[1], 'units': _r.weights[2]} AS weights,
    _r.profit AS profit,
    _r.units AS units,
    _r.revenue AS revenue,
    _r.change AS change,
    _r.changed AS changed
FROM ${later} (
    SELECT unnest(${call}) AS _r
) AS _rows;

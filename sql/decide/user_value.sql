-- Makes user_value: who is going to order within a horizon, how often and for how much.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    CAST(_r.user_id AS ${user_type}) AS user_id,
    _r.state AS state,
    _r.orders AS orders,
    DATE '1970-01-01' + CAST(_r.first_day AS INTEGER) AS first_order,
    DATE '1970-01-01' + CAST(_r.last_day AS INTEGER) AS last_order,
    _r.value AS value,
    _r.active AS active,
    _r.expected_orders AS expected_orders,
    _r.expected_value AS expected_value,
    _r.low AS low,
    _r.high AS high,
    _r.moved_by AS moved_by
FROM ${later} (
    SELECT unnest(${call}) AS _r
) AS _rows;

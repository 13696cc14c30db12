{{ config(materialized='table') }}
-- depends_on: {{ ref('grocery') }}
-- What to order today, so that it lasts until the order after it with a chance of 95 %.
SELECT item_id, stock, expected, units, stockout_risk
FROM grocery.reorder('{{ var("stock") }}', quantity => 'quantity', lead_time => 7, review => 7, service_level => 0.95)
WHERE units > 0

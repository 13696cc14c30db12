-- What was bought: returns left out, up to the day that `until` names.
SELECT
    household_id,
    product_id,
    quantity,
    transaction_timestamp AS bought_at
FROM {{ source('warehouse', 'orders') }}
WHERE quantity > 0 AND transaction_timestamp < CAST('{{ var("until") }}' AS TIMESTAMP)

-- What can be recommended.
SELECT product_id, department, product_category, product_type, brand
FROM {{ source('warehouse', 'products') }}

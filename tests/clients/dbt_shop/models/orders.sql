{{ config(materialized='table') }}
SELECT u AS customer_id, (u % 2) * 10 + CAST(md5_number_lower(u || ' ' || d) % 9 AS BIGINT) AS product_id,
 TIMESTAMP '2024-01-01' + INTERVAL (3 * d) DAY AS ordered_at, 1 + d % 2 AS quantity
FROM range({{ var('users', 60) }}) AS t(u), range(30) AS s(d) WHERE (u + d) % 3 <> 0

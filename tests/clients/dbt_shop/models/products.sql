SELECT i AS product_id, CASE WHEN i < 10 THEN 'tea ' || i WHEN i < 20 THEN 'screwdriver ' || i END AS title,
 CASE WHEN i < 10 THEN 'kitchen' ELSE 'garage' END AS category, 1.0 + i AS price, 0.5 * i AS cost FROM range(22) AS t(i)

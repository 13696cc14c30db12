-- How many users are in which state, and what is expected of them.
SELECT
    state,
    count(*) AS users,
    avg(orders) AS orders_so_far,
    avg(active) AS chance_to_order,
    sum(expected_orders) AS expected_orders,
    sum(expected_value) AS expected_value
FROM ${rows}
GROUP BY state
ORDER BY expected_value DESC;

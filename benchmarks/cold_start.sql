-- Cold start: nDCG at 20 of households of whose history only the latest items are kept, over all
-- items; and the ranking of the products that nobody had bought before, where popularity has
-- nothing to say and its order is that of the product ids.
SELECT
    setting,
    model,
    round(max(value) FILTER (metric = 'ndcg'), 4) AS ndcg,
    round(max(value) FILTER (metric = 'recall'), 4) AS recall,
    round(max(value) FILTER (metric = 'hit_rate'), 4) AS hit_rate,
    max(p_value) FILTER (metric = 'ndcg') AS p,
    max(users) AS households
FROM (
    SELECT 'history of 0 items' AS setting, *
    FROM bench.evaluate(
        weights => {relevance: 1}, k => 20, test_from => TIMESTAMP '2017-12-04 05:00:00',
        history => 0, baselines => ['popularity']
    )
    UNION ALL
    SELECT 'history of 1 item', *
    FROM bench.evaluate(
        weights => {relevance: 1}, k => 20, test_from => TIMESTAMP '2017-12-04 05:00:00',
        history => 1, baselines => ['popularity', 'own frequency', 'item knn', 'ease']
    )
    UNION ALL
    SELECT 'history of 3 items', *
    FROM bench.evaluate(
        weights => {relevance: 1}, k => 20, test_from => TIMESTAMP '2017-12-04 05:00:00',
        history => 3, baselines => ['popularity', 'own frequency', 'item knn', 'ease']
    )
    UNION ALL
    SELECT 'history of 10 items', *
    FROM bench.evaluate(
        weights => {relevance: 1}, k => 20, test_from => TIMESTAMP '2017-12-04 05:00:00',
        history => 10, baselines => ['popularity', 'own frequency', 'item knn', 'ease']
    )
    UNION ALL
    SELECT 'products without an event', *
    FROM bench.evaluate(
        weights => {relevance: 1}, k => 20, test_from => TIMESTAMP '2017-12-04 05:00:00',
        filter => 'product_id NOT IN (
            SELECT s.product_id FROM sold AS s
            WHERE s.transaction_timestamp < TIMESTAMP ''2017-12-04 05:00:00''
        )',
        baselines => ['popularity']
    )
)
GROUP BY ALL
ORDER BY setting, ndcg DESC

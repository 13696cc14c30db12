-- Recall and nDCG at 20 of three rankings on the weeks after the cut, over the full catalogue.
-- Recall is divided by min(20, size of the truth); nDCG has binary gains.
WITH truth AS (
    SELECT DISTINCT household_id, product_id
    FROM orders
    WHERE transaction_timestamp >= getvariable('cut') AND quantity > 0
),
past AS (
    SELECT household_id, product_id, count(*) AS times
    FROM training_orders
    GROUP BY ALL
),
fresh AS (
    SELECT * FROM truth ANTI JOIN past USING (household_id, product_id)
),
households AS (
    SELECT DISTINCT household_id FROM truth
),
popular AS (
    SELECT product_id, row_number() OVER (ORDER BY count(*) DESC, product_id) AS rank
    FROM past
    GROUP BY product_id
),
ranked AS (
    SELECT 'all items' AS task, 'morec_sql' AS model, h.household_id, r.rank, r.item_id
    FROM households AS h,
        bench.recommend(h.household_id, weights => {relevance: 1}, k => 20) AS r
    UNION ALL
    SELECT 'new items', 'morec_sql', h.household_id, r.rank, r.item_id
    FROM households AS h,
        bench.recommend(
            h.household_id, weights => {relevance: 1}, k => 20, exclude_seen => true
        ) AS r
    UNION ALL
    SELECT 'all items', 'popularity', household_id, rank, product_id
    FROM households CROSS JOIN popular
    WHERE rank <= 20
    UNION ALL
    SELECT 'new items', 'popularity', * FROM (
        SELECT
            household_id,
            row_number() OVER (PARTITION BY household_id ORDER BY rank) AS place,
            product_id
        FROM households CROSS JOIN popular ANTI JOIN past USING (household_id, product_id)
        WHERE rank <= 600
        QUALIFY place <= 20
    )
    UNION ALL
    SELECT 'all items', 'own frequency', * FROM (
        SELECT
            household_id,
            row_number() OVER (PARTITION BY household_id ORDER BY times DESC, product_id) AS place,
            product_id
        FROM past
        QUALIFY place <= 20
    )
),
truths AS (
    SELECT 'all items' AS task, * FROM truth
    UNION ALL
    SELECT 'new items', * FROM fresh
),
sizes AS (
    SELECT
        task,
        household_id,
        least(count(*), 20) AS size,
        list_sum([1 / log2(i + 1) FOR i IN range(1, least(count(*), 20) + 1)]) AS ideal
    FROM truths
    GROUP BY ALL
),
hits AS (
    SELECT r.task, r.model, r.household_id, count(*) AS hits, sum(1 / log2(r.rank + 1)) AS gain
    FROM ranked AS r
    JOIN truths AS t
        ON t.task = r.task AND t.household_id = r.household_id AND t.product_id = r.item_id
    GROUP BY ALL
)
SELECT
    m.task,
    m.model,
    count(*) AS households,
    round(avg(coalesce(h.hits, 0) / s.size), 4) AS recall,
    round(avg(coalesce(h.gain, 0) / s.ideal), 4) AS ndcg
FROM (SELECT DISTINCT task, model FROM ranked) AS m
JOIN sizes AS s ON s.task = m.task
LEFT JOIN hits AS h
    ON h.task = m.task AND h.model = m.model AND h.household_id = s.household_id
GROUP BY ALL
ORDER BY m.task, ndcg DESC

-- Recall and nDCG at 20 of ours and of every baseline, over all items and over those new to the
-- household, on the weeks from test_from on; p is that of the difference from ours in nDCG.
SELECT
    model,
    round(max(value) FILTER (task = 'all' AND metric = 'recall'), 4) AS all_recall,
    round(max(value) FILTER (task = 'all' AND metric = 'ndcg'), 4) AS all_ndcg,
    round(max(standard_error) FILTER (task = 'all' AND metric = 'ndcg'), 4) AS "±",
    max(p_value) FILTER (task = 'all' AND metric = 'ndcg') AS p,
    round(max(value) FILTER (task = 'new' AND metric = 'recall'), 4) AS new_recall,
    round(max(value) FILTER (task = 'new' AND metric = 'ndcg'), 4) AS new_ndcg,
    round(max(standard_error) FILTER (task = 'new' AND metric = 'ndcg'), 4) AS "± ",
    max(p_value) FILTER (task = 'new' AND metric = 'ndcg') AS "p ",
    max(users) AS households
FROM (
    SELECT 'all' AS task, *
    FROM bench.evaluate(
        weights => {relevance: 1}, k => 20, test_from => TIMESTAMP '2017-12-04 05:00:00'
    )
    UNION ALL
    SELECT 'new' AS task, *
    FROM bench.evaluate(
        weights => {relevance: 1},
        k => 20,
        test_from => TIMESTAMP '2017-12-04 05:00:00',
        novel_only => true
    )
)
GROUP BY model
ORDER BY all_ndcg DESC NULLS LAST

-- Quality of each model's lists when they are cut to k items.
SELECT model, ${k} AS k, avg(ndcg) AS ndcg, avg(recall) AS recall
FROM main.ranking_metrics('morec_lists', 'morec_truth', k => ${k})
GROUP BY model
ORDER BY model

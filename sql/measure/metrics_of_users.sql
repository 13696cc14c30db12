-- The metrics that each user has, one row per model and user.
SELECT *
FROM main.ranking_metrics('morec_lists', 'morec_truth', k => ${k})
LEFT JOIN main.diversity_metrics('morec_lists', 'morec_list_vectors', k => ${k})
    USING (model, user_id)
LEFT JOIN main.item_metrics('morec_lists', 'morec_values', k => ${k}) USING (model, user_id)
${joins}

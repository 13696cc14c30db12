-- How well lists cover categories, or follow the user's own mix of them, of one objective.
LEFT JOIN (
    SELECT model, user_id, ${metric} AS ${column}
    FROM main.category_metrics(
        'morec_lists', 'morec_values_${position}', 'morec_tastes_${position}', k => ${k}
    )
) USING (model, user_id)

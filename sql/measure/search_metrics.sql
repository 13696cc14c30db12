-- The metrics of the lists of each model, over all users.
SELECT *
FROM (
    SELECT model, avg(COLUMNS(* EXCLUDE (model, user_id))) FROM (${metrics}) GROUP BY model
)
JOIN main.catalogue_metrics('morec_lists', 'morec_values', k => ${k}) USING (model)

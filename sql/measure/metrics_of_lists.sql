-- The metrics of all lists of a model together.
SELECT * FROM main.catalogue_metrics('morec_lists', 'morec_values', k => ${k})

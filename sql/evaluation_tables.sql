-- The lists of all models with what is known of their items, for the metrics.
CREATE OR REPLACE TEMP TABLE morec_lists AS SELECT * FROM morec_new_lists;

CREATE OR REPLACE TEMP TABLE morec_values AS SELECT * FROM morec_new_values;

CREATE OR REPLACE TEMP TABLE morec_list_vectors AS SELECT * FROM morec_new_vectors;

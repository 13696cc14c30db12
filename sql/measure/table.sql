-- A temporary table of the evaluation, from what is registered.
CREATE OR REPLACE TEMP TABLE ${table} AS SELECT * FROM morec_new

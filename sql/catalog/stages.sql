-- What the training did; written last, with the time that writing took.
CREATE OR REPLACE TABLE ${schema}.stages AS SELECT * FROM morec_new_stages;

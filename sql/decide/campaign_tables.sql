-- The tables of what was learnt from campaigns, from what the fit holds in memory.
CREATE OR REPLACE TABLE ${schema}.campaign_settings AS SELECT * FROM morec_new_settings;

CREATE OR REPLACE TABLE ${schema}.campaign_model AS SELECT * FROM morec_new_model;

CREATE OR REPLACE TABLE ${schema}.campaign_objectives AS SELECT * FROM morec_new_objectives;

CREATE OR REPLACE TABLE ${schema}.campaign_quality AS SELECT * FROM morec_new_quality;

CREATE OR REPLACE TABLE ${schema}.campaign_balance AS SELECT * FROM morec_new_balance;

CREATE OR REPLACE TABLE ${schema}.campaign_uplift AS SELECT * FROM morec_new_uplift;

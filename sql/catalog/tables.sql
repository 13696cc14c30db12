-- The tables of a recommender, from what the build holds in memory.
CREATE SCHEMA IF NOT EXISTS ${schema};

CREATE OR REPLACE TABLE ${schema}.settings AS SELECT * FROM morec_new_settings;

CREATE OR REPLACE TABLE ${schema}.objectives AS SELECT * FROM morec_new_objectives;

CREATE OR REPLACE TABLE ${schema}.texts AS
SELECT _t.text_id, _t.text, CAST(_t.embedding AS FLOAT[${text_dimensions}]) AS embedding
FROM morec_new_texts AS _t;

CREATE OR REPLACE TABLE ${schema}.item_vectors AS
SELECT
    _i.item_index,
    _i.item_id,
    _v.text_id,
    CAST(_v.encoder AS FLOAT[${dimensions}]) AS encoder,
    CAST(_v.decoder AS FLOAT[${dimensions}]) AS decoder,
    CAST(_v.statistics AS FLOAT[${statistics}]) AS statistics,
    _v.objectives,
    _v.listed,
    _v.neighbours,
    _v.neighbour_weights
FROM morec_items AS _i
JOIN morec_new_vectors AS _v ON _v.item_index = _i.item_index
ORDER BY _i.item_index;

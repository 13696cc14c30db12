-- Writes new and changed items into a version, and which of its items are recommended.
INSERT INTO ${texts}
SELECT _t.text_id, _t.text, CAST(_t.embedding AS FLOAT[${text_dimensions}])
FROM morec_new_texts AS _t;

INSERT INTO ${item_vectors} BY NAME
SELECT
    _n.item_index,
    _c.item_id,
    _n.text_id,
    CAST(_n.encoder AS FLOAT[${dimensions}]) AS encoder,
    CAST(_n.decoder AS FLOAT[${dimensions}]) AS decoder,
    CAST(_n.statistics AS FLOAT[${statistics}]) AS statistics,
    _n.objectives,
    true AS listed
FROM morec_new_vectors AS _n
JOIN morec_changed AS _c ON _c.place = _n.place
WHERE _c.item_index IS NULL
ORDER BY _n.item_index;

UPDATE ${item_vectors} AS _v
SET
    text_id = _n.text_id,
    encoder = CAST(_n.encoder AS FLOAT[${dimensions}]),
    decoder = CAST(_n.decoder AS FLOAT[${dimensions}])
FROM morec_new_vectors AS _n
JOIN morec_changed AS _c ON _c.place = _n.place
WHERE _c.item_index = _v.item_index;

UPDATE ${item_vectors} AS _v
SET listed = NOT _v.listed
WHERE _v.listed <> (_v.item_id IN (SELECT _n.item_id FROM morec_now AS _n));

UPDATE ${schema}.archive
SET items = (SELECT count(*) FROM ${item_vectors})
WHERE id = ${id};

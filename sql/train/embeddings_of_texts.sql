-- The embeddings of the wanted texts, in the order of their numbers.
SELECT _a.embedding
FROM (
    SELECT _t.text_id, CAST(_t.embedding AS FLOAT[]) AS embedding
    FROM ${texts} AS _t
    WHERE _t.text_id IN (SELECT _w.text_id FROM morec_wanted AS _w)
    UNION ALL
    SELECT _n.text_id, _n.embedding
    FROM morec_new_texts AS _n
    WHERE _n.text_id IN (SELECT _w.text_id FROM morec_wanted AS _w)
) AS _a
ORDER BY _a.text_id

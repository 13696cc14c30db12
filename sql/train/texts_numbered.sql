-- New texts, numbered on from those of the version.
CREATE TEMP TABLE morec_new_texts AS
SELECT
    CAST(
        (SELECT coalesce(max(_t.text_id), -1) FROM ${texts} AS _t) + row_number() OVER (ORDER BY _f.text)
        AS INTEGER
    ) AS text_id,
    _f.text,
    CAST(_f.embedding AS FLOAT[]) AS embedding
FROM morec_fresh AS _f

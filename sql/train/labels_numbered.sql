-- The numbers of the labels of each row.
SELECT _r."row" AS "row", _l.number AS label
FROM morec_labelled AS _r
JOIN morec_labels AS _l ON _l.label = _r.label
ORDER BY _r."row", _l.number

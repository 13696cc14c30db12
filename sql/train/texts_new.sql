-- Texts of changed items that the version has not embedded.
SELECT DISTINCT _c._text
FROM morec_changed AS _c
LEFT JOIN ${texts} AS _t ON _t.text = _c._text
WHERE _c._text IS NOT NULL AND _t.text_id IS NULL
ORDER BY _c._text

-- The number of the text of each changed item.
SELECT coalesce(_t.text_id, _n.text_id) AS text_id
FROM morec_changed AS _c
LEFT JOIN ${texts} AS _t ON _t.text = _c._text
LEFT JOIN morec_new_texts AS _n ON _n.text = _c._text
ORDER BY _c.place

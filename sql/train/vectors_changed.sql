-- The vectors of changed items that the version has, and whether anyone has used them.
SELECT _c.place, _v.encoder, _v.decoder, _v.statistics[1] > 0 AS used
FROM morec_changed AS _c
JOIN ${item_vectors} AS _v ON _v.item_index = _c.item_index
ORDER BY _c.place

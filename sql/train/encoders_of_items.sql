-- What the wanted items add to the vectors of users.
SELECT _v.encoder
FROM ${item_vectors} AS _v
WHERE _v.item_index IN (SELECT _w.item_index FROM morec_wanted_items AS _w)
ORDER BY _v.item_index

-- Writes new values of the objectives beside the vectors of a recommender.
ALTER TABLE ${item_vectors} ADD COLUMN IF NOT EXISTS listed BOOLEAN;

UPDATE ${item_vectors} AS _v
SET objectives = _n.objectives, listed = _n.listed
FROM morec_new_values AS _n
WHERE _n.item_index = _v.item_index;

UPDATE ${schema}.objectives AS _o
SET mean = _n.mean, deviation = _n.deviation
FROM morec_new_scales AS _n
WHERE _n.position = _o.position;

-- What the training of a version did; written last, with the time that writing took.
UPDATE ${schema}.archive
SET stages = (SELECT list(_s) FROM morec_new_stages AS _s)
WHERE id = ${id};

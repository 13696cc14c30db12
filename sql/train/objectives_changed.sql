-- Writes other objectives than there were: their table, and what a version says of them.
DELETE FROM ${schema}.objectives;

INSERT INTO ${schema}.objectives BY NAME
SELECT * FROM morec_new_objectives ORDER BY position;

UPDATE ${schema}.archive
SET
    settings = struct_update(settings, arguments := ${arguments}),
    metrics = ${metrics}
WHERE id = ${id};

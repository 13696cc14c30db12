-- What users changed of a recommender, where it is made anew for a role.
UPDATE ${schema}.objectives AS _o
SET default_weight = _t.default_weight
FROM ${theirs}.objectives AS _t
WHERE _t.objective = _o.objective;

DELETE FROM ${schema}.reason_templates;

INSERT INTO ${schema}.reason_templates SELECT * FROM ${theirs}.reason_templates;

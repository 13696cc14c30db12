-- Puts a version of the archive to use: what of it is the user's to change, and views of the rest.
CREATE OR REPLACE TABLE ${schema}.settings AS
SELECT unnest(_a.settings) FROM ${schema}.archive AS _a WHERE _a.id = ${id};

CREATE OR REPLACE TABLE ${schema}.objectives AS
SELECT unnest(_a.objectives, recursive := true) FROM ${schema}.archive AS _a WHERE _a.id = ${id};

CREATE OR REPLACE VIEW ${schema}.texts AS SELECT * FROM ${texts};

CREATE OR REPLACE VIEW ${schema}.item_vectors AS SELECT * FROM ${item_vectors};

CREATE OR REPLACE VIEW ${schema}.stages AS
SELECT unnest(_a.stages, recursive := true)
FROM ${schema}.archive AS _a
WHERE _a.settings.version = (SELECT _s.version FROM ${schema}.settings AS _s);

CREATE OR REPLACE VIEW ${schema}.versions AS
SELECT
    _a.id,
    _a.settings.version = (SELECT _s.version FROM ${schema}.settings AS _s) AS in_use,
    _a.created_at,
    _a.created_by,
    _a.made_by,
    _a.first_event,
    _a.last_event,
    _a.events,
    _a.users,
    _a.items,
    CAST(_a.settings.model -> '$$.check.ndcg' ->> 'relevance' AS DOUBLE) AS ndcg,
    CAST(_a.settings.model -> '$$.check' ->> 'error' AS DOUBLE) AS ndcg_error,
    _a.settings.arguments AS arguments
FROM ${schema}.archive AS _a
ORDER BY _a.id;

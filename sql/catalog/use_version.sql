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

CREATE OR REPLACE VIEW ${schema}.sources AS
SELECT
    _f.source AS source,
    _f.found ->> 'lists' AS lists,
    CAST(_f.found ->> 'users' AS BIGINT) AS count,
    CAST(_f.found ->> 'with' AS DOUBLE) AS ndcg,
    CAST(_f.found ->> 'without' AS DOUBLE) AS ndcg_without,
    CAST(_f.found ->> 'error' AS DOUBLE) AS error,
    CAST(_f.found ->> 'used' AS BOOLEAN) AS used,
    CASE WHEN starts_with(_f.source, 'channel ') THEN CAST(_f.found ->> 'weight' AS DOUBLE) END
        AS weight
FROM (
    SELECT 'user_features' AS source, CAST(_s.model AS JSON) -> '$$.of_labels' AS found
    FROM ${schema}.settings AS _s
    UNION ALL
    SELECT 'user_graph', CAST(_s.model AS JSON) -> '$$.of_friends'
    FROM ${schema}.settings AS _s
    UNION ALL
    SELECT 'impressions', CAST(_s.model AS JSON) -> '$$.of_shown'
    FROM ${schema}.settings AS _s
    UNION ALL
    SELECT 'context ' || _c.key, _c.value
    FROM ${schema}.settings AS _s, json_each(CAST(_s.model AS JSON), '$$.of_context') AS _c
    UNION ALL
    SELECT 'channel ' || _c.key, _c.value
    FROM ${schema}.settings AS _s, json_each(CAST(_s.model AS JSON), '$$.of_channels') AS _c
    UNION ALL
    -- versions made before have vectors under their own name alone
    SELECT
        CASE WHEN _c.key = 'item_graph' OR starts_with(_c.key, 'vectors ') THEN '' ELSE 'vectors ' END
        || _c.key,
        _c.value
    FROM ${schema}.settings AS _s, json_each(CAST(_s.model AS JSON), '$$.of_content') AS _c
) AS _f
WHERE _f.found IS NOT NULL;

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

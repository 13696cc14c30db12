-- The labels that a version knows, with their vectors; those of contexts have a weight.
SELECT _l.label, _l.key, _l.weight, _l.vector
FROM (
    SELECT unnest(_a.labels, recursive := true)
    FROM ${schema}.archive AS _a
    WHERE _a.settings.version = (SELECT _s.version FROM ${settings} AS _s)
) AS _l
ORDER BY _l.key

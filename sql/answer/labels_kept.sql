-- The labels that a version knows, with what they add to vectors and to the relevance of items.
SELECT _l.label, _l.key, _l.context, _l.vector, _l.items, _l.odds
FROM (
    SELECT unnest(_a.labels, recursive := true)
    FROM ${schema}.archive AS _a
    WHERE _a.settings.version = (SELECT _s.version FROM ${settings} AS _s)
) AS _l
ORDER BY _l.key

-- The rules of a recommender. They are sorted in Python: planning an ORDER BY takes longer.
SELECT
    _r.name, _r.kind, _r.items, _r.value, _r.users, _r.context, _r.starts, _r.ends,
    coalesce(_r.enabled, true), coalesce(_r.priority, 0)
FROM ${schema}.rules AS _r

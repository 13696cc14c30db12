-- The rules of a recommender. They are sorted in Python, which also reads NULL: planning takes longer.
SELECT
    _r.name, _r.kind, _r.items, _r.value, _r.users, _r.context, _r.starts, _r.ends, _r.enabled,
    _r.priority
FROM ${schema}.rules AS _r

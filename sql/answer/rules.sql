-- The rules of a recommender, and what of each is in the sum of asked.sql. They are sorted in Python,
-- which also reads NULL: planning takes longer.
SELECT
    _r.name, _r.kind, _r.items, _r.value, _r.users, _r.context, _r.starts, _r.ends, _r.enabled,
    _r.priority, hash(_r)
FROM ${schema}.rules AS _r

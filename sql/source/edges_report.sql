-- What the rows of a graph are like.
SELECT
    count(*) AS rows,
    count(*) FILTER (WHERE NOT coalesce(${usable}, false)) AS unusable,
    count(*) FILTER (WHERE ${usable} AND _g.source = _g.target) AS loops
FROM (${edges}) AS _g

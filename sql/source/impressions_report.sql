-- What the rows of what was shown are like.
SELECT
    count(*) AS rows,
    count(*) FILTER (WHERE NOT coalesce(${usable}, false)) AS unusable
FROM (${shown}) AS _s

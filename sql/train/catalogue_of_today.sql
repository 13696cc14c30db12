-- How many items the version has, and how many pairs of a user and one of them.
SELECT count(*) AS items, coalesce(sum(exp(_v.statistics[1]) - 1), 0) AS pairs
FROM ${item_vectors} AS _v

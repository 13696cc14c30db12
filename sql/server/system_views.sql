-- The views of DuckDB's own, but for those of the standard.
SELECT DISTINCT lower(view_name) AS name
FROM duckdb_views()
WHERE internal AND schema_name <> 'information_schema'

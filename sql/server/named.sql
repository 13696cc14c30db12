-- Macros of the warehouse, and views of DuckDB's own.
SELECT DISTINCT
    lower(function_name) AS name,
    'macro' AS kind
FROM duckdb_functions()
WHERE NOT internal AND function_type IN ('macro', 'table_macro')
UNION ALL
SELECT DISTINCT
    lower(view_name) AS name,
    'system' AS kind
FROM duckdb_views()
WHERE internal AND schema_name <> 'information_schema'

-- The macros of the warehouse.
SELECT DISTINCT lower(function_name) AS name
FROM duckdb_functions()
WHERE NOT internal AND function_type IN ('macro', 'table_macro')

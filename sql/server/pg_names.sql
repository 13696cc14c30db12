-- The tables, views and functions of PostgreSQL's catalogue that there are here.
SELECT
    'table' AS kind,
    schema_name,
    view_name AS name
FROM duckdb_views()
WHERE database_name = ${database} AND NOT internal
UNION ALL
SELECT 'table', schema_name, table_name
FROM duckdb_tables()
WHERE database_name = ${database}
UNION ALL
SELECT DISTINCT 'function', schema_name, function_name
FROM duckdb_functions()
WHERE database_name = ${database} AND NOT internal

-- What the databases of roles are made of: tables, views and functions as they are now.
SELECT 'table' AS kind, table_oid AS oid FROM duckdb_tables() WHERE database_name = ${database}
UNION ALL
SELECT 'view', view_oid FROM duckdb_views() WHERE database_name = ${database} AND NOT internal
ORDER BY ALL

-- The views of a warehouse: schema, name, and the statement that makes them.
SELECT
    schema_name,
    view_name,
    sql
FROM duckdb_views()
WHERE database_name = ${database} AND NOT internal

-- The columns of the tables of a warehouse: schema, table, column, type.
SELECT
    c.schema_name,
    c.table_name,
    c.column_name,
    c.data_type
FROM duckdb_columns() AS c
JOIN duckdb_tables() AS t ON t.table_oid = c.table_oid AND t.database_name = c.database_name
WHERE c.database_name = ${database}
ORDER BY c.schema_name, c.table_name, c.column_index

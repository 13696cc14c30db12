-- What is in a schema: the kind of each object, its name.
SELECT 'TABLE' AS kind, table_name AS name
FROM duckdb_tables()
WHERE database_name = ${catalog} AND schema_name = ${schema_name}
UNION ALL
SELECT 'VIEW', view_name
FROM duckdb_views()
WHERE database_name = ${catalog} AND schema_name = ${schema_name}
UNION ALL
SELECT CASE function_type WHEN 'table_macro' THEN 'MACRO TABLE' ELSE 'MACRO' END, function_name
FROM duckdb_functions()
WHERE database_name = ${catalog} AND schema_name = ${schema_name}
UNION ALL
SELECT 'SEQUENCE', sequence_name
FROM duckdb_sequences()
WHERE database_name = ${catalog} AND schema_name = ${schema_name}
UNION ALL
SELECT 'TYPE', type_name
FROM duckdb_types()
WHERE database_name = ${catalog} AND schema_name = ${schema_name}

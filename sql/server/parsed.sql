-- What DuckDB's own parser reads in a text of SELECT statements: what is wrong and where, how many
-- statements there are, and the functions and tables that they name, at any depth, with what stands before them.
PREPARE parsed AS
SELECT
    ast ->> 'error_message' AS wrong,
    CAST(ast ->> 'position' AS BIGINT) AS place,
    coalesce(json_array_length(ast -> 'statements'), 0) AS statements,
    ast ->> '$$..function_name' AS functions,
    ast ->> '$$..table_name' AS tables,
    ast ->> '$$..schema_name' AS table_schemas,
    ast ->> '$$..catalog_name' AS table_catalogs,
    ast ->> '$$..schema' AS function_schemas,
    ast ->> '$$..catalog' AS function_catalogs
FROM (SELECT json_serialize_sql(CAST($$1 AS VARCHAR)) AS ast)

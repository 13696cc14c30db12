-- What DuckDB's own parser reads in a text of SELECT statements: what is wrong and where, how many
-- statements there are, and the functions and tables that they name, at any depth.
PREPARE parsed AS
SELECT
    ast ->> 'error_message' AS wrong,
    CAST(ast ->> 'position' AS BIGINT) AS place,
    coalesce(json_array_length(ast -> 'statements'), 0) AS statements,
    ast ->> '$$..function_name' AS functions,
    ast ->> '$$..table_name' AS tables
FROM (SELECT json_serialize_sql(CAST($$1 AS VARCHAR)) AS ast)

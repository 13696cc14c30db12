-- The macros of these names that are temporary, or in the schema main of the database.
SELECT database_name = 'temp' AS temporary, function_name AS name, macro_definition AS definition
FROM duckdb_functions()
WHERE
    database_name IN ('temp', current_database())
    AND schema_name = 'main'
    AND function_name IN (SELECT unnest(?))
ORDER BY name

-- The types, as PostgreSQL's numbers, of columns that are of the same type in all of some tables.
SELECT
    lower(column_name) AS name,
    min(${pg}.main.type_oid(data_type)) AS type
FROM duckdb_columns()
WHERE
    database_name = ${database}
    AND list_contains(?, lower(column_name))
    AND list_contains(?, lower(table_name))
GROUP BY ALL
HAVING count(DISTINCT data_type) = 1

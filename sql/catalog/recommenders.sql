-- The recommenders of a database, which are known by what we wrote: a table settings of these columns.
SELECT _t.schema_name AS name
FROM duckdb_tables() AS _t
JOIN duckdb_columns() AS _c
    ON _c.database_name = _t.database_name
    AND _c.schema_name = _t.schema_name
    AND _c.table_name = _t.table_name
WHERE
    _t.database_name = ${catalog}
    AND _t.table_name = 'settings'
GROUP BY _t.schema_name
HAVING list(_c.column_name ORDER BY _c.column_index)[:4] = ['version', 'arguments', 'model', 'trained_until']
ORDER BY name

-- What a statement may name in the database that is in use, for completion: a word, what it is, and
-- what is said about it.
SELECT
    CASE WHEN _t.schema_name = 'main' THEN '' ELSE _t.schema_name || '.' END || _t.table_name AS word,
    'table' AS kind,
    coalesce(_t.comment, 'table') AS about
FROM duckdb_tables() AS _t
WHERE _t.database_name = current_database() AND NOT _t.internal
UNION ALL
SELECT
    CASE WHEN _v.schema_name = 'main' THEN '' ELSE _v.schema_name || '.' END || _v.view_name,
    'view',
    coalesce(_v.comment, 'view')
FROM duckdb_views() AS _v
WHERE _v.database_name = current_database() AND NOT _v.internal
UNION ALL
SELECT
    CASE WHEN _f.schema_name = 'main' THEN '' ELSE _f.schema_name || '.' END
    || _f.function_name || '(',
    'function',
    coalesce(_f.comment, 'macro')
FROM duckdb_functions() AS _f
WHERE
    _f.function_type IN ('macro', 'table_macro')
    AND NOT _f.internal
    AND _f.database_name IN (current_database(), 'temp')
UNION ALL
SELECT DISTINCT
    _c.column_name,
    'column',
    'column of ' || min(_c.table_name) OVER (PARTITION BY _c.column_name)
FROM duckdb_columns() AS _c
WHERE _c.database_name = current_database() AND NOT _c.internal
UNION ALL
SELECT upper(_k.keyword_name), 'keyword', 'keyword'
FROM duckdb_keywords() AS _k
WHERE _k.keyword_category = 'reserved'
ORDER BY ALL

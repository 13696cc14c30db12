-- The tables and views that a role of a server's users may read: those of its database, but for
-- schemas that are there for others to read alone, and for what masked texts could be guessed by.
SELECT lower(schema_name || '.' || name) AS path
FROM (
    SELECT database_name, schema_name, table_name AS name FROM duckdb_tables() WHERE NOT internal
    UNION ALL
    SELECT database_name, schema_name, view_name FROM duckdb_views() WHERE NOT internal
)
WHERE
    database_name = current_database()
    AND schema_name IN (SELECT _s.name FROM morec_seen.schemas AS _s)
    AND lower(schema_name || '.' || name) NOT IN (SELECT _k.path FROM morec_seen.kept AS _k)

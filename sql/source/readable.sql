-- The tables and views that a subquery of an expression may read: those that somebody made.
SELECT lower(table_name) AS name FROM duckdb_tables() WHERE NOT internal
UNION
SELECT lower(view_name) FROM duckdb_views() WHERE NOT internal

-- What DuckDB knows of functions by these names: whether they give rows, do more than compute, or are
-- macros, whose definitions are to be looked at, too.
SELECT DISTINCT lower(function_name) AS name, function_type, stability, internal, macro_definition
FROM duckdb_functions()
WHERE lower(function_name) IN (SELECT unnest(?))

"""Arithmetic on arrays, imported as `morec_sql.udfs`: no SQL, no DuckDB, no names of tables."""

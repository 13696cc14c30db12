"""SQL text of every view, table, macro and query; read by `morec_sql.templates`."""

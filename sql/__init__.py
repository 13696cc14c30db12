"""All SQL text, in rooms named as those of `morec_sql`; imported as `morec_sql.sql`."""

-- One of the settings that pg_settings shows.
INSERT INTO ${pg}.main.settings_of_postgres (name, setting, category, context, vartype, source)
VALUES (?, ?, 'morec_sql', 'user', 'string', 'default')

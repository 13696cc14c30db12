-- Adds a rule, in the place of one of the same name where there is one.
INSERT OR REPLACE INTO ${schema}.rules
    (name, kind, items, value, users, context, starts, ends, priority, enabled, note)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

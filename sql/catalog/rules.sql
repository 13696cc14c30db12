-- The rules of lists, which are the user's to write: they survive what is trained anew.
CREATE TABLE IF NOT EXISTS ${schema}.rules (
    name VARCHAR PRIMARY KEY,
    kind VARCHAR NOT NULL,
    items VARCHAR,
    value VARCHAR,
    users VARCHAR,
    context VARCHAR,
    starts TIMESTAMP,
    ends TIMESTAMP,
    priority INTEGER DEFAULT 0,
    enabled BOOLEAN DEFAULT true,
    note VARCHAR
);

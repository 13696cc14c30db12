-- Weights by a name, which are the user's to add: they survive what is trained anew.
CREATE TABLE IF NOT EXISTS ${schema}.weight_presets (
    name VARCHAR PRIMARY KEY,
    weights MAP(VARCHAR, DOUBLE) NOT NULL
);

-- The user's items table with its own columns and the standard column item_id.
CREATE OR REPLACE VIEW ${schema}.items AS
SELECT ${columns} FROM ${items} AS _i WHERE ${usable};

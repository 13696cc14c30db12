-- The view of the user's table of items or users, with its own columns and the standard id.
CREATE OR REPLACE VIEW ${schema}.${view} AS
SELECT ${columns} FROM ${own} AS _i WHERE ${usable};

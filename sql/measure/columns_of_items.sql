-- The columns of each item once, those that are categories as text.
CREATE OR REPLACE TEMP TABLE morec_columns AS
SELECT DISTINCT ON (_i.item_id) _i.item_id${columns}
FROM ${schema}.items AS _i
ORDER BY ALL;

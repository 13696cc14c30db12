-- Makes a macro that gives the rows of its function, which are about items, with ids of their type.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT CAST(_r.item_id AS ${item_type}) AS item_id, _r.* EXCLUDE (item_id)
FROM ${later} (
    SELECT unnest(${call}) AS _r
) AS _rows;

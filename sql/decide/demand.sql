-- Makes demand: how many units of each item are going to be sold within a horizon.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT CAST(_r.item_id AS ${item_type}) AS item_id, _r.* EXCLUDE (item_id)
FROM ${later} (
    SELECT unnest(${call}) AS _r
) AS _rows;

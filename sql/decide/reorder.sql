-- Makes reorder: what to order of each item so that it lasts.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT CAST(_r.item_id AS ${item_type}) AS item_id, _r.* EXCLUDE (item_id)
FROM ${later} (
    SELECT unnest(${call}) AS _r
) AS _rows;

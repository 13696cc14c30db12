-- Makes allocate: a list for each of many users, under limits that bind all of them together.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    CAST(_r.user_id AS ${user_type}) AS user_id,
    _r.rank AS rank,
    CAST(_r.item_id AS ${item_type}) AS item_id,
    _r.score AS score,
    _r.price AS price,
    _r.unmet AS unmet
FROM ${later} (
    SELECT unnest(${call}) AS _r
) AS _rows;

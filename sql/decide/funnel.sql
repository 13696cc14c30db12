-- Makes funnel: how many users take steps one after another.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT ${columns}
FROM ${later} (
    SELECT unnest(${call}) AS _r
) AS _rows;

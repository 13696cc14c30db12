-- Makes price_quality: how well prices foretell the units of the last weeks.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT ${columns}
FROM ${later} (
    SELECT unnest(${call}) AS _r
) AS _rows;

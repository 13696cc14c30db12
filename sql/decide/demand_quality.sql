-- Makes demand_quality: how well demand would have foretold the last horizon.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT ${columns}
FROM ${later} (
    SELECT unnest(${call}) AS _r
) AS _rows;

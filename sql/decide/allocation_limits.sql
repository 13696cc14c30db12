-- Makes allocation_limits: what allocate comes to under the same arguments, limit by limit.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT ${columns}
FROM ${later} (
    SELECT unnest(${call}) AS _r
) AS _rows;

-- Makes evaluate: trains on the events before test_from, ranks the catalogue for every user with
-- events from then on, and measures the lists.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT _rows.*
FROM ${later} (
    SELECT unnest(${call}, recursive := true)
) AS _rows;

-- Makes drop_recommender.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT _rows.*
FROM ${later} (
    SELECT unnest(${call}, recursive := true)
) AS _rows;

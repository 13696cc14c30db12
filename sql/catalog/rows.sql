-- Makes a macro that gives the rows of its function as they are, such as drop_recommender.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT _rows.*
FROM ${later} (
    SELECT unnest(${call}, recursive := true)
) AS _rows;

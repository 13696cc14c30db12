-- Makes drop_recommender.
CREATE OR REPLACE MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT unnest(${call}, recursive := true);

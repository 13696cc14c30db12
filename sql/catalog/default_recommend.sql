-- recommend(...) without a schema: the recommendations of the default recommender.
CREATE OR REPLACE MACRO main.${name}(${parameters}) AS TABLE
SELECT * FROM ${schema}.${name}(${passed});

COMMENT ON MACRO TABLE main.${name} IS ${comment};

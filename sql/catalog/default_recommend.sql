-- recommend(...) without a schema: the recommendations of the default recommender.
CREATE OR REPLACE MACRO main.${name}(${parameters}) AS TABLE
SELECT _rows.* FROM ${later} (SELECT * FROM ${schema}.${name}(${passed})) AS _rows;

COMMENT ON MACRO TABLE main.${name} IS ${comment};

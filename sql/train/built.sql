-- Makes create_recommender and refresh_recommender. Building and publishing are two steps with a materialised table between
-- them, where DuckDB looks for interrupts: an interrupted build is never published.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT _rows.*
FROM ${later} (
    WITH _built AS MATERIALIZED (
        SELECT ${call} AS _token
    )
    SELECT unnest(morec_publish(_token), recursive := true) FROM _built
) AS _rows;

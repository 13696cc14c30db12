-- The score of an item for a user, as a value. Python looks the histories up, once for each user of a
-- query: a subquery in here would be run for each pair.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS (
    SELECT _scored._score
    FROM ${later} (
        SELECT morec_score_pairs(
            current_database(), ${schema_name}, ${version}, current_query_id(),
            CAST(user_id AS VARCHAR),
            (${item}),
            epoch(TRY_CAST(as_of AS TIMESTAMP)),
            CAST(to_json(weights) AS VARCHAR)
        ) AS _score
    ) AS _scored
);

-- The score of an item for a user, as a value. The history is looked up as in recommend.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS (
    SELECT _scored._score
    FROM ${later} (
        SELECT morec_score(
            current_database(), ${schema_name}, ${version}, current_query_id(),
            CAST(user_id AS VARCHAR),
            (${item}),
            (${history}),
            epoch(TRY_CAST(as_of AS TIMESTAMP)),
            CAST(to_json(weights) AS VARCHAR)
        ) AS _score
    ) AS _scored
);

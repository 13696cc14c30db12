-- recommend(...) without a schema: the recommendations of the default recommender.
CREATE OR REPLACE MACRO main.recommend(
    user_id,
    weights := NULL,
    k := 10,
    filter := NULL,
    exclude_seen := NULL,
    diversify := 'mmr',
    as_of := NULL
) AS TABLE
SELECT * FROM ${schema}.recommend(
    user_id,
    weights => weights,
    k => k,
    filter => filter,
    exclude_seen => exclude_seen,
    diversify => diversify,
    as_of => as_of
);

COMMENT ON MACRO TABLE main.recommend IS ${comment};

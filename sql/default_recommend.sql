-- recommend(...) without a schema: the recommendations of the default recommender.
CREATE OR REPLACE MACRO main.recommend(
    user_id,
    weights := NULL,
    k := 10,
    filter := NULL,
    exclude_seen := NULL,
    diversify := 'mmr',
    max_per := NULL,
    min_share := NULL,
    floor := NULL,
    budget := NULL,
    as_of := NULL
) AS TABLE
SELECT * FROM ${schema}.recommend(
    user_id,
    weights => weights,
    k => k,
    filter => filter,
    exclude_seen => exclude_seen,
    diversify => diversify,
    max_per => max_per,
    min_share => min_share,
    floor => floor,
    budget => budget,
    as_of => as_of
);

COMMENT ON MACRO TABLE main.recommend IS ${comment};

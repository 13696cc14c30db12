-- The macros of a recommender as version 0.1.0 wrote them, before the functions were declared in one
-- place; ${version} is that of its training.
-- Makes recommend and recommend_for. Other arguments than the key are evaluated in the innermost
-- SELECT, which has no FROM, so that a column name in an argument cannot meet a column of the tables.
CREATE OR REPLACE MACRO "shop".recommend(
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
SELECT
    _r.rank AS rank,
    CAST(_r.item_id AS BIGINT) AS item_id,
    _r.score AS score,
    {'relevance': _r.contributions[1], 'margin': _r.contributions[2], 'diversity': _r.contributions[3], 'novelty': _r.contributions[4]} AS contributions,
    _r.unmet AS unmet
FROM (
    SELECT unnest(morec_recommend(
        current_database(), 'shop', '${version}', current_query_id(),
        (-- The events of a user in the warehouse, as one list. The macro's argument stands in it as it came, so
-- that a constant is looked up and a column is joined once; columns get names of our own before, so
-- that a column in the argument cannot meet them. What is later than as_of is left out afterwards:
-- with a second condition of that kind DuckDB would gather the lists on one core.
-- greatest of one value is that value. It is there since DuckDB may plan what depends on a column of
-- the table's own type by gathering the lists of all users, however few of them are asked for; an
-- expression it joins to the events first.
-- An event is one whole number, since lists of numbers are gathered three times as fast as lists of
-- structs: from the highest bits down, 64 for the microsecond (-2^62 without a time), 32 for the item
-- and 32 for the weight, 2^31 and its binary logarithm in units of 2^-20.
SELECT list(
    CAST(coalesce(epoch_us(_x._event_time), -4611686018427387904) AS HUGEINT)
    * 18446744073709551616
    + (
        CAST(_v._item_index AS BIGINT) * 4294967296
        + CAST(round(log2(_x._weight) * 1048576) AS BIGINT) + 2147483648
    )
)
FROM (
    SELECT
        _e.user_id AS _user_id,
        _e.item_id AS _item_id,
        _e.event_time AS _event_time,
        _e.weight AS _weight
    FROM "shop".events AS _e
) AS _x
JOIN (
    SELECT _i.item_id AS _item_id, _i.item_index AS _item_index FROM "shop".item_vectors AS _i
) AS _v ON _v._item_id = _x._item_id
WHERE _x._user_id = greatest(CAST(user_id AS BIGINT))
),
        epoch(_a._as_of),
        _a._weights, _a._k, _a._filter, _a._exclude_seen, _a._diversify, _a._limited
    )) AS _r
    FROM (
        SELECT
            CAST(to_json(weights) AS VARCHAR) AS _weights,
            CAST(k AS BIGINT) AS _k,
            CAST(filter AS VARCHAR) AS _filter,
            CAST(exclude_seen AS BOOLEAN) AS _exclude_seen,
            CAST(diversify AS VARCHAR) AS _diversify,
            nullif(
                CAST(to_json({
                    'max_per': to_json(max_per),
                    'min_share': to_json(min_share),
                    'floor': to_json(floor),
                    'budget': to_json(budget)
                }) AS VARCHAR),
                '{"max_per":null,"min_share":null,"floor":null,"budget":null}'
            ) AS _limited,
            CAST(as_of AS TIMESTAMP) AS _as_of
    ) AS _a
) AS _ranked;
-- Makes recommend and recommend_for. Other arguments than the key are evaluated in the innermost
-- SELECT, which has no FROM, so that a column name in an argument cannot meet a column of the tables.
CREATE OR REPLACE MACRO "shop".recommend_for(
    items,
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
SELECT
    _r.rank AS rank,
    CAST(_r.item_id AS BIGINT) AS item_id,
    _r.score AS score,
    {'relevance': _r.contributions[1], 'margin': _r.contributions[2], 'diversity': _r.contributions[3], 'novelty': _r.contributions[4]} AS contributions,
    _r.unmet AS unmet
FROM (
    SELECT unnest(morec_recommend(
        current_database(), 'shop', '${version}', current_query_id(),
        (-- The items in a list as events of mean weight, just now: numbers as in the history of a user,
-- without a time, and with a weight of 0.
SELECT list(
    CAST(-4611686018427387904 AS HUGEINT) * 18446744073709551616
    + CAST(_v._item_index AS BIGINT) * 4294967296
)
FROM (
    SELECT _i.item_id AS _item_id, _i.item_index AS _item_index FROM "shop".item_vectors AS _i
) AS _v
WHERE list_contains(CAST(items AS BIGINT[]), _v._item_id)
),
        epoch(_a._as_of),
        _a._weights, _a._k, _a._filter, _a._exclude_seen, _a._diversify, _a._limited
    )) AS _r
    FROM (
        SELECT
            CAST(to_json(weights) AS VARCHAR) AS _weights,
            CAST(k AS BIGINT) AS _k,
            CAST(filter AS VARCHAR) AS _filter,
            CAST(exclude_seen AS BOOLEAN) AS _exclude_seen,
            CAST(diversify AS VARCHAR) AS _diversify,
            nullif(
                CAST(to_json({
                    'max_per': to_json(max_per),
                    'min_share': to_json(min_share),
                    'floor': to_json(floor),
                    'budget': to_json(budget)
                }) AS VARCHAR),
                '{"max_per":null,"min_share":null,"floor":null,"budget":null}'
            ) AS _limited,
            CAST(as_of AS TIMESTAMP) AS _as_of
    ) AS _a
) AS _ranked;
-- Makes evaluate: trains on the events before test_from, ranks the catalogue for every user with
-- events from then on, and measures the lists.
CREATE OR REPLACE MACRO "shop".evaluate(
    weights := NULL,
    k := 10,
    test_from := NULL,
    novel_only := false,
    history := NULL,
    sample := NULL,
    filter := NULL,
    diversify := 'mmr',
    baselines := true
) AS TABLE
SELECT
    unnest(
        morec_evaluate(
            current_database(),
            'shop',
            CAST(to_json({
                'weights': to_json(weights),
                'k': k,
                'test_from': CAST(CAST(test_from AS TIMESTAMP) AS VARCHAR),
                'novel_only': novel_only,
                'history': history,
                'sample': sample,
                'filter': filter,
                'diversify': diversify,
                'baselines': to_json(baselines)
            }) AS VARCHAR)
        ),
        recursive := true
    );
-- Makes pareto and tune, which search weight vectors whose lists do best on a time split.
CREATE OR REPLACE MACRO "shop".pareto(
    objectives := NULL,
    algorithm := 'surrogate',
    budget := 200,
    k := 10,
    users := 2000,
    test_from := NULL,
    novel_only := false,
    filter := NULL,
    diversify := 'mmr',
    seed := 42
) AS TABLE
SELECT
    {'relevance': _p.weights[1], 'margin': _p.weights[2], 'diversity': _p.weights[3], 'novelty': _p.weights[4]} AS weights,
    _p.metrics[1] AS "precision", _p.metrics[2] AS "recall", _p.metrics[3] AS "f1", _p.metrics[4] AS "hit_rate", _p.metrics[5] AS "ndcg", _p.metrics[6] AS "map", _p.metrics[7] AS "mrr", _p.metrics[8] AS "coverage", _p.metrics[9] AS "gini", _p.metrics[10] AS "intra_list_diversity", _p.metrics[11] AS "novelty", _p.metrics[12] AS "mean_margin",
    _p.hypervolume_contribution AS hypervolume_contribution,
    _p.knee AS knee,
    _p.today AS today,
    _p.dominated AS dominated
FROM (
    SELECT unnest(morec_pareto(
        current_database(),
        'shop',
        CAST(to_json({
            'objectives': to_json(objectives),
            'algorithm': algorithm,
            'budget': budget,
            'k': k,
            'users': users,
            'test_from': CAST(CAST(test_from AS TIMESTAMP) AS VARCHAR),
            'novel_only': novel_only,
            'filter': filter,
            'diversify': diversify,
            'seed': seed
        }) AS VARCHAR)
    )) AS _p
) AS _points;

CREATE OR REPLACE MACRO "shop".tune(
    prefer := NULL,
    algorithm := 'ga',
    budget := 200,
    k := 10,
    users := 2000,
    test_from := NULL,
    novel_only := false,
    filter := NULL,
    diversify := 'mmr',
    seed := 42,
    store := false
) AS TABLE
SELECT
    {'relevance': _p.weights[1], 'margin': _p.weights[2], 'diversity': _p.weights[3], 'novelty': _p.weights[4]} AS weights,
    _p.metrics[1] AS "precision", _p.metrics[2] AS "recall", _p.metrics[3] AS "f1", _p.metrics[4] AS "hit_rate", _p.metrics[5] AS "ndcg", _p.metrics[6] AS "map", _p.metrics[7] AS "mrr", _p.metrics[8] AS "coverage", _p.metrics[9] AS "gini", _p.metrics[10] AS "intra_list_diversity", _p.metrics[11] AS "novelty", _p.metrics[12] AS "mean_margin",
    _p.evaluations AS evaluations
FROM (
    SELECT unnest(morec_tune(
        current_database(),
        'shop',
        CAST(to_json({
            'prefer': to_json(prefer),
            'algorithm': algorithm,
            'budget': budget,
            'k': k,
            'users': users,
            'test_from': CAST(CAST(test_from AS TIMESTAMP) AS VARCHAR),
            'novel_only': novel_only,
            'filter': filter,
            'diversify': diversify,
            'seed': seed,
            'store': store
        }) AS VARCHAR)
    )) AS _p
) AS _tuned;

CREATE OR REPLACE MACRO main.recommend(
    user_id, weights := NULL, k := 10, filter := NULL, exclude_seen := NULL, diversify := 'mmr',
    max_per := NULL, min_share := NULL, floor := NULL, budget := NULL, as_of := NULL
) AS TABLE
SELECT * FROM "shop".recommend(
    user_id, weights => weights, k => k, filter => filter, exclude_seen => exclude_seen,
    diversify => diversify, max_per => max_per, min_share => min_share, floor => floor,
    budget => budget, as_of => as_of
);

-- Makes pareto and tune, which search weight vectors whose lists do best on a time split.
CREATE OR REPLACE MACRO ${schema}.pareto(
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
    {${weights}} AS weights,
    ${metrics},
    _p.hypervolume_contribution AS hypervolume_contribution,
    _p.knee AS knee,
    _p.today AS today,
    _p.dominated AS dominated
FROM (
    SELECT unnest(morec_pareto(
        current_database(),
        ${schema_name},
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

CREATE OR REPLACE MACRO ${schema}.tune(
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
    {${weights}} AS weights,
    ${metrics},
    _p.evaluations AS evaluations
FROM (
    SELECT unnest(morec_tune(
        current_database(),
        ${schema_name},
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

-- Makes evaluate: trains on the events before test_from, ranks the catalogue for every user with
-- events from then on, and measures the lists.
CREATE OR REPLACE MACRO ${schema}.evaluate(
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
            ${schema_name},
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

-- nDCG of each model for four equally large groups of users, by the items they know.
WITH known AS (
    SELECT
        _u.user_id,
        count(DISTINCT _e.item_index) AS items
    FROM morec_test_users AS _u
    LEFT JOIN morec_events AS _e ON _e.user_index = _u.user_index
    GROUP BY _u.user_id
),
grouped AS (
    SELECT *, ntile(4) OVER (ORDER BY items, user_id) AS quarter FROM known
)
SELECT
    _m.model,
    _g.quarter,
    min(_g.items) AS fewest,
    max(_g.items) AS most,
    avg(_m.ndcg) AS ndcg
FROM main.ranking_metrics('morec_lists', 'morec_truth', k => ${k}) AS _m
JOIN grouped AS _g ON _g.user_id = _m.user_id
GROUP BY ALL
ORDER BY _m.model, _g.quarter

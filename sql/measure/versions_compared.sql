-- How two versions of a recommender differ, by their lists in morec_lists.
WITH _lists AS (
    SELECT
        CASE _l.model WHEN CAST(${before} AS VARCHAR) THEN 'before' ELSE 'after' END AS side,
        _l.*
    FROM morec_lists AS _l
),
_common AS (
    SELECT
        _n.user_id,
        _n.items,
        count(_b.item_id) AS common,
        count(*) FILTER (_b.rank = _a.rank) AS alike
    FROM (SELECT user_id, max(rank) AS items FROM morec_lists GROUP BY user_id) AS _n
    JOIN _lists AS _a ON _a.user_id = _n.user_id AND _a.side = 'after'
    LEFT JOIN _lists AS _b
        ON _b.user_id = _a.user_id AND _b.item_id = _a.item_id AND _b.side = 'before'
    GROUP BY ALL
),
_parts AS (
    SELECT _j.side, unnest(json_keys(_j.parts)) AS objective, _j.parts
    FROM (SELECT side, to_json(contributions) AS parts FROM _lists) AS _j
),
_metrics AS (
    UNPIVOT (
        SELECT model, ndcg, recall, hit_rate
        FROM ${main}.ranking_metrics('morec_lists', 'morec_truth', k => ${k})
    )
    ON ndcg, recall, hit_rate INTO NAME metric VALUE value
),
_shown AS (
    SELECT
        _l.item_id,
        count(*) FILTER (_l.side = 'before') / any_value(_n.users) AS before,
        count(*) FILTER (_l.side = 'after') / any_value(_n.users) AS after
    FROM _lists AS _l, (SELECT count(*) AS users FROM _common) AS _n
    GROUP BY _l.item_id
),
_rows AS (
    SELECT
        1 AS part, 'lists' AS kind, 'users' AS name, count(*) AS before, count(*) AS after,
        0.0 AS change
    FROM _common
    UNION ALL
    SELECT 2, 'lists', 'share of items in common', NULL, sum(common) / sum(items), 0.0
    FROM _common
    UNION ALL
    SELECT 3, 'lists', 'share that is the same', NULL, avg(CAST(alike = items AS DOUBLE)), 0.0
    FROM _common
    UNION ALL
    SELECT
        4, 'lists', 'different items',
        count(DISTINCT item_id) FILTER (side = 'before'),
        count(DISTINCT item_id) FILTER (side = 'after'),
        0.0
    FROM _lists
    UNION ALL
    SELECT
        5, 'contribution', objective,
        avg(CAST(parts ->> objective AS DOUBLE)) FILTER (side = 'before'),
        avg(CAST(parts ->> objective AS DOUBLE)) FILTER (side = 'after'),
        0.0
    FROM _parts
    GROUP BY objective
    UNION ALL
    SELECT
        6, 'metric', 'ndcg@20 of what was held out when made',
        max(_v.ndcg) FILTER (_v.id = ${before}),
        max(_v.ndcg) FILTER (_v.id = ${after}),
        0.0
    FROM ${schema}.versions AS _v
    UNION ALL
    SELECT
        7, 'metric', metric || '@' || ${k} || ' of events since',
        avg(value) FILTER (model = CAST(${before} AS VARCHAR)),
        avg(value) FILTER (model = CAST(${after} AS VARCHAR)),
        0.0
    FROM _metrics
    GROUP BY metric
    UNION ALL
    SELECT
        CASE WHEN after > before THEN 8 ELSE 9 END,
        CASE WHEN after > before THEN 'item gained' ELSE 'item lost' END,
        CAST(item_id AS VARCHAR), before, after, abs(after - before)
    FROM _shown
    WHERE after <> before
    QUALIFY
        row_number() OVER (
            PARTITION BY after > before ORDER BY abs(after - before) DESC, item_id
        ) <= ${most}
)
SELECT kind, name, CAST(before AS DOUBLE) AS before, CAST(after AS DOUBLE) AS after
FROM _rows
WHERE before IS NOT NULL OR after IS NOT NULL
ORDER BY part, change DESC, name

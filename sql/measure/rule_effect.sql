-- What a rule changes in the lists of morec_sample: the share of lists that are others, nDCG before
-- and after, and how much more each objective contributes to an item of a list.
CREATE OR REPLACE TEMP TABLE morec_lists AS
SELECT 'before' AS model, * FROM morec_without
UNION ALL
SELECT 'after', _s.user_id, _r.rank, _r.item_id, to_json(_r.contributions)
FROM
    morec_sample AS _s,
    ${schema}.recommend(_s.user_id, k => ${k}, as_of => _s.as_of, rules => [${rule}]) AS _r;

WITH _lists AS (
    SELECT
        user_id,
        list(item_id ORDER BY rank) FILTER (model = 'before') AS before,
        list(item_id ORDER BY rank) FILTER (model = 'after') AS after
    FROM morec_lists
    GROUP BY user_id
),
_parts AS (
    SELECT _p.model, _p.objective, avg(CAST(_p.parts ->> _p.objective AS DOUBLE)) AS part
    FROM (SELECT model, unnest(json_keys(parts)) AS objective, parts FROM morec_lists) AS _p
    GROUP BY ALL
),
_metrics AS (
    SELECT
        avg(ndcg) FILTER (model = 'before') AS before,
        avg(ndcg) FILTER (model = 'after') AS after,
        (SELECT count(*) FROM morec_truth) > 0 AS measured
    FROM ${main}.ranking_metrics('morec_lists', 'morec_truth', k => ${k})
)
SELECT
    (
        SELECT avg(CAST(_l.before IS DISTINCT FROM _l.after AS DOUBLE))
        FROM morec_sample AS _s
        LEFT JOIN _lists AS _l ON _l.user_id = _s.user_id
    ) AS changed,
    -- where all lists are empty there is nothing to measure, and nothing is found
    CASE WHEN _m.measured THEN coalesce(_m.before, 0) END AS before,
    CASE WHEN _m.measured THEN coalesce(_m.after, 0) END AS after,
    (
        SELECT map_from_entries(list({key: _f.objective, value: _w.part - _f.part}))
        FROM _parts AS _f
        JOIN _parts AS _w ON _w.objective = _f.objective AND _w.model = 'after'
        WHERE _f.model = 'before'
    ) AS parts
FROM _metrics AS _m

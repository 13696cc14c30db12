-- What a rule changes in the lists of morec_sample: the share of lists that are others, nDCG before
-- and after, and how much more each objective contributes to an item of a list.
WITH _with AS (
    SELECT _s.user_id, _r.rank, _r.item_id, to_json(_r.contributions) AS parts
    FROM
        morec_sample AS _s,
        ${schema}.recommend(_s.user_id, k => ${k}, as_of => _s.as_of, rules => [?]) AS _r
),
_both AS (
    SELECT 'before' AS side, * FROM morec_without
    UNION ALL
    SELECT 'after', * FROM _with
),
_lists AS (
    SELECT
        _b.side,
        _b.user_id,
        list(_b.item_id ORDER BY _b.rank) AS items,
        sum(1 / log2(_b.rank + 1)) FILTER (_t.item_id IS NOT NULL) AS gain
    FROM _both AS _b
    LEFT JOIN morec_truth AS _t ON _t.user_id = _b.user_id AND _t.item_id = _b.item_id
    GROUP BY ALL
),
_users AS (
    SELECT
        _s.user_id,
        _f.items IS DISTINCT FROM _w.items AS changed,
        coalesce(_f.gain, 0) / _n.most AS before,
        coalesce(_w.gain, 0) / _n.most AS after
    FROM morec_sample AS _s
    LEFT JOIN _lists AS _f ON _f.user_id = _s.user_id AND _f.side = 'before'
    LEFT JOIN _lists AS _w ON _w.user_id = _s.user_id AND _w.side = 'after'
    LEFT JOIN (
        SELECT
            _t.user_id,
            list_sum(
                list_transform(range(1, least(count(*), ${k}) + 1), lambda _p: 1 / log2(_p + 1))
            ) AS most
        FROM morec_truth AS _t
        GROUP BY _t.user_id
    ) AS _n ON _n.user_id = _s.user_id
),
_parts AS (
    SELECT _p.side, _p.objective, avg(CAST(_p.parts ->> _p.objective AS DOUBLE)) AS part
    FROM (SELECT side, unnest(json_keys(parts)) AS objective, parts FROM _both) AS _p
    GROUP BY ALL
)
SELECT
    (SELECT avg(CAST(changed AS DOUBLE)) FROM _users) AS changed,
    (SELECT avg(before) FROM _users) AS before,
    (SELECT avg(after) FROM _users) AS after,
    (
        SELECT map_from_entries(list({key: _f.objective, value: _w.part - _f.part}))
        FROM _parts AS _f
        JOIN _parts AS _w ON _w.objective = _f.objective AND _w.side = 'after'
        WHERE _f.side = 'before'
    ) AS parts

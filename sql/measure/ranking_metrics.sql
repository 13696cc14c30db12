-- Metrics of ranked lists over any two tables, named as text. Recall and average precision are
-- divided by the most that k places can hold, min(k, truth).
-- Reads its lists itself: a macro that called another one could not be called by the name of an
-- attached database.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
WITH _lists AS (
    SELECT _r.model, _r.user_id, _r.item_id, min(_r.rank) AS rank
    FROM (
        SELECT CAST(NULL AS VARCHAR) AS model WHERE false
        UNION ALL BY NAME
        SELECT * FROM query_table(recommendations)
    ) AS _r
    WHERE _r.rank <= k
    GROUP BY ALL
),
_truth AS (
    SELECT DISTINCT _t.user_id, _t.item_id
    FROM query_table(truth) AS _t
    WHERE _t.user_id IS NOT NULL AND _t.item_id IS NOT NULL
),
_sizes AS (
    SELECT
        user_id,
        least(count(*), k) AS size,
        list_sum([1 / log2(_i + 1) FOR _i IN range(1, least(count(*), k) + 1)]) AS ideal
    FROM _truth
    GROUP BY user_id
),
_hits AS (
    SELECT
        _l.model,
        _l.user_id,
        _l.rank,
        row_number() OVER (PARTITION BY _l.model, _l.user_id ORDER BY _l.rank) AS found
    FROM _lists AS _l
    JOIN _truth AS _t ON _t.user_id = _l.user_id AND _t.item_id = _l.item_id
),
_sums AS (
    SELECT
        model,
        user_id,
        count(*) AS hits,
        sum(1 / log2(rank + 1)) AS gain,
        sum(found / rank) AS precisions,
        min(rank) AS first
    FROM _hits
    GROUP BY ALL
)
SELECT
    _m.model,
    _s.user_id,
    coalesce(_h.hits, 0) / k AS precision,
    coalesce(_h.hits, 0) / _s.size AS recall,
    2 * coalesce(_h.hits, 0) / (k + _s.size) AS f1,
    CAST(_h.hits IS NOT NULL AS DOUBLE) AS hit_rate,
    coalesce(_h.gain, 0) / _s.ideal AS ndcg,
    coalesce(_h.precisions, 0) / _s.size AS map,
    coalesce(1 / _h.first, 0) AS mrr
FROM (SELECT DISTINCT model FROM _lists) AS _m
CROSS JOIN _sizes AS _s
LEFT JOIN _sums AS _h ON _h.model IS NOT DISTINCT FROM _m.model AND _h.user_id = _s.user_id;

-- Metrics of ranked lists as table macros in the schema main, over any two tables, named as text.
-- recommendations: user_id, item_id, rank from 1, and where several are compared, model.
-- Each macro reads its lists itself: one that called another could not be called by the name of an
-- attached database.
-- Recall and average precision are divided by the most that k places can hold, min(k, truth).
CREATE OR REPLACE MACRO main.ranking_metrics(recommendations, truth, k := 10) AS TABLE
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

-- The mean over each list of every other column of items, such as margin or self-information.
CREATE OR REPLACE MACRO main.item_metrics(recommendations, items, k := 10) AS TABLE
SELECT model, user_id, avg(COLUMNS(* EXCLUDE (model, user_id, item_id, rank)))
FROM (
    SELECT _r.model, _r.user_id, _r.rank, _i.*
    FROM (
        SELECT CAST(NULL AS VARCHAR) AS model WHERE false
        UNION ALL BY NAME
        SELECT * FROM query_table(recommendations)
    ) AS _r
    JOIN query_table(items) AS _i ON _i.item_id = _r.item_id
    WHERE _r.rank <= k
)
GROUP BY model, user_id;

-- Intra-list diversity: the mean distance between two items of a list. vectors: item_id and vector,
-- where it is the cosine distance, or item_id and category, where it is 1 between categories. An
-- item without a category, or whose vector is all 0, is at distance 1 from every other.
CREATE OR REPLACE MACRO main.diversity_metrics(recommendations, vectors, k := 10) AS TABLE
WITH _entries AS (
    SELECT
        _r.model,
        _r.user_id,
        _r.rank,
        _v.category,
        CAST(_v.vector AS FLOAT[]) AS vector,
        sqrt(list_inner_product(CAST(_v.vector AS FLOAT[]), CAST(_v.vector AS FLOAT[]))) AS length
    FROM (
        SELECT CAST(NULL AS VARCHAR) AS model WHERE false
        UNION ALL BY NAME
        SELECT * FROM query_table(recommendations)
    ) AS _r
    JOIN (
        SELECT CAST(NULL AS FLOAT[]) AS vector, NULL AS category WHERE false
        UNION ALL BY NAME
        SELECT * FROM query_table(vectors)
    ) AS _v ON _v.item_id = _r.item_id
    WHERE _r.rank <= k
)
SELECT
    _a.model,
    _a.user_id,
    avg(
        CASE
            WHEN _a.vector IS NULL OR _b.vector IS NULL
                THEN CAST(coalesce(_a.category <> _b.category, true) AS DOUBLE)
            ELSE 1 - list_inner_product(_a.vector, _b.vector)
                / greatest(_a.length * _b.length, 1e-12)
        END
    ) AS intra_list_diversity
FROM _entries AS _a
JOIN _entries AS _b
    ON _a.model IS NOT DISTINCT FROM _b.model AND _a.user_id = _b.user_id AND _a.rank < _b.rank
GROUP BY ALL;

-- Categories of each list. categories: item_id, category; mixes: user_id, category, share, the mix
-- that a user is used to. coverage is the number of categories in the list; calibration (Steck
-- 2018) is 1 - KL(p || 0.99 q + 0.01 p) / log(100) for shares p in the mix and q in the list, from
-- 0, nothing in common, to 1, the same mix; NULL for a user without a mix.
CREATE OR REPLACE MACRO main.category_metrics(recommendations, categories, mixes, k := 10) AS TABLE
WITH _entries AS (
    SELECT _r.model, _r.user_id, _c.category
    FROM (
        SELECT CAST(NULL AS VARCHAR) AS model WHERE false
        UNION ALL BY NAME
        SELECT * FROM query_table(recommendations)
    ) AS _r
    LEFT JOIN query_table(categories) AS _c ON _c.item_id = _r.item_id
    WHERE _r.rank <= k
),
_sizes AS (
    SELECT model, user_id, count(*) AS size, count(DISTINCT category) AS coverage
    FROM _entries
    GROUP BY ALL
),
_counts AS (
    SELECT model, user_id, category, count(*) AS times FROM _entries GROUP BY ALL
),
_divergences AS (
    SELECT
        _s.model,
        _s.user_id,
        sum(
            _m.share * ln(_m.share / (0.99 * coalesce(_n.times, 0) / _s.size + 0.01 * _m.share))
        ) AS divergence
    FROM _sizes AS _s
    JOIN query_table(mixes) AS _m ON _m.user_id = _s.user_id AND _m.share > 0
    LEFT JOIN _counts AS _n
        ON _n.model IS NOT DISTINCT FROM _s.model
        AND _n.user_id = _s.user_id
        AND _n.category = _m.category
    GROUP BY ALL
)
SELECT
    _s.model,
    _s.user_id,
    _s.coverage,
    1 - _d.divergence / ln(100) AS calibration
FROM _sizes AS _s
LEFT JOIN _divergences AS _d
    ON _d.model IS NOT DISTINCT FROM _s.model AND _d.user_id = _s.user_id;

-- How much of the catalogue the lists use: the share of the items that occur in any list, and the
-- Gini coefficient of how often each item does (0: all alike, towards 1: few have it all).
CREATE OR REPLACE MACRO main.catalogue_metrics(recommendations, items, k := 10) AS TABLE
WITH _shown AS (
    SELECT _r.model, _r.item_id, count(*) AS times
    FROM (
        SELECT CAST(NULL AS VARCHAR) AS model WHERE false
        UNION ALL BY NAME
        SELECT * FROM query_table(recommendations)
    ) AS _r
    WHERE _r.rank <= k
    GROUP BY ALL
),
_catalogue AS (
    SELECT count(DISTINCT item_id) AS size FROM query_table(items)
),
_ordered AS (
    SELECT
        model,
        times,
        row_number() OVER (PARTITION BY model ORDER BY times DESC, item_id) AS place
    FROM _shown
)
SELECT
    _o.model,
    count(*) / any_value(_c.size) AS coverage,
    sum((_c.size + 1 - 2 * _o.place) * _o.times) / (any_value(_c.size) * sum(_o.times)) AS gini
FROM _ordered AS _o
CROSS JOIN _catalogue AS _c
GROUP BY _o.model;

-- Categories of each list. categories: item_id, category; mixes: user_id, category, share, the mix
-- that a user is used to. coverage is the number of categories in the list; calibration (Steck
-- 2018) is 1 - KL(p || 0.99 q + 0.01 p) / log(100) for shares p in the mix and q in the list, from
-- 0, nothing in common, to 1, the same mix; NULL for a user without a mix.
-- Reads its lists itself: a macro that called another one could not be called by the name of an
-- attached database.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
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

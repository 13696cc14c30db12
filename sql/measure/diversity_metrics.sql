-- Intra-list diversity: the mean distance between two items of a list. vectors: item_id and vector,
-- where it is the cosine distance, or item_id and category, where it is 1 between categories. An
-- item without a category, or whose vector is all 0, is at distance 1 from every other.
-- Reads its lists itself: a macro that called another one could not be called by the name of an
-- attached database.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
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

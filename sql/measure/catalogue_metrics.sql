-- How much of the catalogue the lists use: the share of the items that occur in any list, and the
-- Gini coefficient of how often each item does (0: all alike, towards 1: few have it all).
-- Reads its lists itself: a macro that called another one could not be called by the name of an
-- attached database.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
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

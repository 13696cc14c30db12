-- The mean over each list of every other column of items, such as margin or self-information.
-- Reads its lists itself: a macro that called another one could not be called by the name of an
-- attached database.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
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

-- The lists of some users of a recommender, by its default weights.
SELECT CAST(_r.item_id AS VARCHAR) AS item_id, _r.score AS score
FROM (
    SELECT _e.user_id AS user_id
    FROM ${schema}.events AS _e
    GROUP BY _e.user_id
    ORDER BY hash(_e.user_id)
    LIMIT ${users}
) AS _u, ${schema}.recommend(_u.user_id) AS _r

-- Pairs of some users and items, and whether the item is in the user's list: as many that are as that
-- come next, and as of the whole catalogue. With what is known of the two.
CREATE OR REPLACE TEMP TABLE morec_some_users AS
SELECT _d.user_id, CAST(row_number() OVER (ORDER BY hash(_d.user_id), _d.user_id) AS INTEGER) AS number
FROM (SELECT DISTINCT _e.user_id FROM ${schema}.events AS _e) AS _d
QUALIFY number <= ${users};

CREATE OR REPLACE TEMP TABLE morec_ranked AS
SELECT _u.number, _u.user_id, _r.item_id, _r.rank
FROM morec_some_users AS _u, ${schema}.recommend(_u.user_id, k => 4 * ${k}) AS _r;

CREATE OR REPLACE TEMP TABLE morec_known AS
SELECT _u.number, _v.item_id, count(*) AS times
FROM ${schema}.events AS _e
JOIN morec_some_users AS _u ON _u.user_id = _e.user_id
JOIN ${schema}.item_vectors AS _v ON _v.item_id = _e.item_id
GROUP BY ALL;

CREATE OR REPLACE TEMP TABLE morec_pairs AS
SELECT
    _p.number,
    _p.item_id,
    bool_or(_p.listed) AS listed,
    any_value(coalesce(_k.times, 0)) AS times,
    any_value(coalesce(_h.size, 0)) AS size,
    any_value(round(exp(_v.statistics[1]) - 1)) AS users
FROM (
    SELECT number, item_id, rank <= ${k} AS listed
    FROM morec_ranked
    WHERE rank <= ${k} OR hash(number, item_id) % 3 = 0
    UNION ALL
    SELECT _u.number, _i.item_id, false
    FROM (SELECT DISTINCT number FROM morec_ranked) AS _u, range(${k}) AS _t(turn)
    JOIN (
        SELECT item_id, row_number() OVER (ORDER BY item_index) - 1 AS place
        FROM ${schema}.item_vectors
        WHERE listed
    ) AS _i
        ON _i.place = hash(_u.number, _t.turn) % (
            SELECT count(*) FROM ${schema}.item_vectors WHERE listed
        )
) AS _p
JOIN ${schema}.item_vectors AS _v ON _v.item_id = _p.item_id
LEFT JOIN morec_known AS _k ON _k.number = _p.number AND _k.item_id = _p.item_id
LEFT JOIN (SELECT number, count(*) AS size FROM morec_known GROUP BY number) AS _h
    ON _h.number = _p.number
GROUP BY _p.number, _p.item_id;

-- The lists that two versions of a recommender give some of the users, as of the end of what the later
-- one learnt from; and what these users did from then on.
CREATE OR REPLACE TEMP TABLE morec_until AS
SELECT
    max(_a.last_event) + INTERVAL 1 MICROSECOND AS until,
    max(_a.last_event) < (SELECT max(_e.event_time) FROM ${schema}.events AS _e) AS goes_on
FROM ${schema}.archive AS _a
WHERE _a.id IN (${before}, ${after});

CREATE OR REPLACE TEMP TABLE morec_lists AS
SELECT CAST(_v.version AS VARCHAR) AS model, _u.user_id, _r.rank, _r.item_id, _r.contributions
FROM
    (
        SELECT _d.user_id, CASE WHEN _p.goes_on THEN _p.until END AS as_of
        FROM (SELECT DISTINCT _e.user_id FROM ${schema}.events AS _e) AS _d, morec_until AS _p
        ORDER BY hash(_d.user_id), _d.user_id
        LIMIT ${users}
    ) AS _u,
    (SELECT unnest([${before}, ${after}]) AS version) AS _v,
    ${schema}.recommend(_u.user_id, k => ${k}, as_of => _u.as_of, version => _v.version) AS _r;

CREATE OR REPLACE TEMP TABLE morec_truth AS
SELECT DISTINCT _e.user_id, _e.item_id
FROM ${schema}.events AS _e, morec_until AS _p
WHERE
    _e.event_time >= _p.until
    AND _e.wanted
    AND _e.user_id IN (SELECT _l.user_id FROM morec_lists AS _l);

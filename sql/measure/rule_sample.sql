-- Some users, each as of the last day of their events, what they did on it, and their lists without
-- rules.
CREATE OR REPLACE TEMP TABLE morec_sample AS
SELECT _e.user_id, date_trunc('day', max(_e.event_time)) AS as_of
FROM ${schema}.events AS _e
GROUP BY _e.user_id
ORDER BY hash(_e.user_id), _e.user_id
LIMIT ${users};

CREATE OR REPLACE TEMP TABLE morec_truth AS
SELECT DISTINCT _e.user_id, _e.item_id
FROM ${schema}.events AS _e
JOIN morec_sample AS _s ON _s.user_id = _e.user_id
WHERE (_e.event_time >= _s.as_of OR _s.as_of IS NULL) AND _e.wanted;

CREATE OR REPLACE TEMP TABLE morec_without AS
SELECT _s.user_id, _r.rank, _r.item_id, to_json(_r.contributions) AS parts
FROM
    morec_sample AS _s,
    ${schema}.recommend(_s.user_id, k => ${k}, as_of => _s.as_of, rules => false) AS _r;

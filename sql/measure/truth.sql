-- What users did from the start of the test on, as far as relevance is about it: morec_truth
-- (user_id, item_id) and morec_test_users (user_id, user_index), where ids are numbers of ours.
-- Users with a history come first, in the order of their index; an item that the past did not know
-- has a negative number.
CREATE OR REPLACE TEMP TABLE morec_test_events AS
SELECT DISTINCT
    _e.user_id AS name,
    _u.user_index,
    coalesce(_i.item_index, -dense_rank() OVER (ORDER BY _e.item_id)) AS item_id
FROM ${schema}.events AS _e
LEFT JOIN morec_users AS _u ON _u.user_id = _e.user_id
LEFT JOIN morec_items AS _i ON _i.item_id = _e.item_id
WHERE _e.event_time >= CAST(${test_from} AS TIMESTAMP) AND _e.wanted AND ${kept};

DELETE FROM morec_test_events AS _t
USING morec_events AS _k
WHERE ${novel_only} AND _k.user_index = _t.user_index AND _k.item_index = _t.item_id;

CREATE OR REPLACE TEMP TABLE morec_test_users AS
SELECT
    name,
    user_index,
    row_number() OVER (ORDER BY user_index NULLS LAST, name) - 1 AS user_id
FROM (
    SELECT DISTINCT name, user_index
    FROM morec_test_events
    ORDER BY hash(name), name
    LIMIT ${sample}
);

CREATE OR REPLACE TEMP TABLE morec_truth AS
SELECT _u.user_id, _t.item_id
FROM morec_test_events AS _t
JOIN morec_test_users AS _u ON _u.name = _t.name;

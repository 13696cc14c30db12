-- The tables of a version, from what the build holds in memory, and its row of the archive.
CREATE TABLE ${texts} AS
SELECT _t.text_id, _t.text, CAST(_t.embedding AS FLOAT[${text_dimensions}]) AS embedding
FROM morec_new_texts AS _t;

CREATE TABLE ${item_vectors} AS
SELECT
    _i.item_index,
    _i.item_id,
    _v.text_id,
    CAST(_v.encoder AS FLOAT[${dimensions}]) AS encoder,
    CAST(_v.decoder AS FLOAT[${dimensions}]) AS decoder,
    CAST(_v.statistics AS FLOAT[${statistics}]) AS statistics,
    _v.objectives,
    _v.listed,
    _v.neighbours,
    _v.neighbour_weights
FROM morec_items AS _i
JOIN morec_new_vectors AS _v ON _v.item_index = _i.item_index
ORDER BY _i.item_index;

INSERT INTO ${schema}.archive BY NAME
SELECT
    ${id} AS id,
    ${made_by} AS made_by,
    now() AS created_at,
    ${created_by} AS created_by,
    _e.first_event,
    _e.last_event,
    _e.events,
    _e.users,
    (SELECT count(*) FROM morec_items) AS items,
    _s AS settings,
    (SELECT list(_o ORDER BY _o.position) FROM morec_new_objectives AS _o) AS objectives,
    _k.user_type,
    _k.item_type,
    _k.metrics,
    _k.views,
    _k.labels,
    _k.attributes,
    _k.context,
    _k.fold_in
FROM
    morec_new_settings AS _s,
    morec_new_version AS _k,
    (
        SELECT
            make_timestamp(CAST(1e6 * min(event_time) AS BIGINT)) AS first_event,
            make_timestamp(CAST(1e6 * max(event_time) AS BIGINT)) AS last_event,
            count(*) AS events,
            count(DISTINCT user_index) AS users
        FROM morec_events
    ) AS _e;

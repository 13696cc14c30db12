-- What came and went since the version in use of a recommender was trained.
SELECT
    _v.id,
    _v.created_at,
    _v.events,
    _v.items,
    CASE
        WHEN _v.last_event IS NULL THEN greatest(_n.events - _v.events, 0)
        ELSE _n.later
    END AS new_events,
    _c.new_items,
    _g.gone_items
FROM
    (
        SELECT _w.id, _w.created_at, _w.events, _w.items, _w.last_event
        FROM ${schema}.versions AS _w
        WHERE _w.in_use
    ) AS _v,
    (
        SELECT
            count(*) AS events,
            count(*) FILTER (_e.event_time > (
                SELECT max(_w.last_event) FROM ${schema}.versions AS _w WHERE _w.in_use
            )) AS later
        FROM ${schema}.events AS _e
    ) AS _n,
    (
        SELECT count(*) AS new_items
        FROM ${schema}.items AS _i
        ANTI JOIN ${schema}.item_vectors AS _j ON _j.item_id = _i.item_id
    ) AS _c,
    (
        SELECT count(*) AS gone_items
        FROM (SELECT _j.item_id FROM ${schema}.item_vectors AS _j WHERE _j.listed) AS _j
        ANTI JOIN ${schema}.items AS _i ON _i.item_id = _j.item_id
    ) AS _g;

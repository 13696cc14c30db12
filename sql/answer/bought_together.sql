-- What is bought together with some items: the share of all baskets with both, the share of theirs
-- that has the other, and how many times as often as by chance that is. A basket is what a user does
-- within some time: a day where that says something, since a tenth of the days have several items.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    _ranked._rank AS rank,
    _ranked._item_id AS item_id,
    _ranked._baskets AS baskets,
    _ranked._support AS support,
    _ranked._confidence AS confidence,
    _ranked._lift AS lift,
    morec_score(
        current_database(), ${schema_name}, ${version}, current_query_id(),
        NULL,
        (
            SELECT _j.item_index
            FROM ${schema}.item_vectors AS _j
            WHERE _j.item_id = _ranked._item_id
        ),
        (${history}),
        NULL,
        '{"relevance": 1}'
    ) AS score
FROM ${later} (
    WITH _given AS MATERIALIZED (
        SELECT TRY_CAST(
            CASE json_type(to_json(item_ids))
                WHEN 'ARRAY' THEN to_json(item_ids)
                ELSE json_array(item_ids)
            END AS ${item_type}[]
        ) AS items
    ),
    _days AS MATERIALIZED (
        SELECT
            _e.user_id AS _user_id,
            time_bucket(coalesce(within, INTERVAL 1 DAY), _e.event_time) AS _time,
            list(DISTINCT _e.item_id) AS _items
        FROM ${schema}.events AS _e
        GROUP BY ALL
    ),
    _unit AS (
        SELECT within IS NOT NULL OR avg(CAST(len(_d._items) > 1 AS INTEGER)) > 0.1 AS _timed
        FROM _days AS _d
    ),
    _baskets AS MATERIALIZED (
        SELECT DISTINCT
            hash(_d._user_id, CASE WHEN _n._timed THEN _d._time END) AS _basket,
            unnest(_d._items) AS _item_id
        FROM _days AS _d
        CROSS JOIN _unit AS _n
    ),
    _wanted AS (
        SELECT DISTINCT unnest(_g.items) AS _item_id FROM _given AS _g
    ),
    _with AS (
        SELECT _b._basket AS _basket
        FROM _baskets AS _b
        JOIN _wanted AS _w ON _w._item_id = _b._item_id
        GROUP BY _b._basket
        HAVING count(*) = (SELECT count(*) FROM _wanted)
    ),
    _counts AS (
        SELECT
            (SELECT count(DISTINCT _b._basket) FROM _baskets AS _b) AS _all,
            (SELECT count(*) FROM _with) AS _theirs
    ),
    _both AS (
        SELECT _b._item_id AS _item_id, count(*) AS _count
        FROM _baskets AS _b
        SEMI JOIN _with AS _t ON _t._basket = _b._basket
        ANTI JOIN _wanted AS _w ON _w._item_id = _b._item_id
        GROUP BY _b._item_id
    ),
    _others AS (
        SELECT _b._item_id AS _item_id, count(*) AS _count
        FROM _baskets AS _b
        SEMI JOIN _both AS _o ON _o._item_id = _b._item_id
        GROUP BY _b._item_id
    )
    SELECT
        CAST(row_number() OVER (ORDER BY _o._count DESC, _o._item_id) AS INTEGER) AS _rank,
        _g.items AS items,
        _o._item_id AS _item_id,
        _o._count AS _baskets,
        _o._count / _c._all AS _support,
        _o._count / _c._theirs AS _confidence,
        (_o._count / _c._theirs) / (_a._count / _c._all) AS _lift
    FROM _both AS _o
    JOIN _others AS _a ON _a._item_id = _o._item_id
    CROSS JOIN _counts AS _c
    CROSS JOIN _given AS _g
) AS _ranked
WHERE _ranked._rank <= k
ORDER BY _ranked._rank;

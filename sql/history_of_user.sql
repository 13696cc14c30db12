-- The history of the user _a._user from the events in the warehouse, as one list.
SELECT
    list({
        'item': _p.item_index, 'short': _p.short, 'medium': _p.medium, 'long': _p.long,
        'count': _p.count, 'last': _p.last, 'first': _p.first
    } ORDER BY _p.item_index)
FROM (
    SELECT
        _v.item_index,
        ${pair_features}
    FROM (
        SELECT ${distinct}
            _x.item_id,
            epoch(_x.event_time) AS event_time,
            _x.weight,
            _x.wanted,
            _a._anchor
        FROM ${schema}.events AS _x
        WHERE _x.user_id = _a._key AND (_a._as_of IS NULL OR ${before})
    ) AS _e
    JOIN ${schema}.item_vectors AS _v ON _v.item_id = _e.item_id
    GROUP BY _v.item_index
) AS _p

-- Makes rank_items: as recommend, among some items alone.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    _r.rank AS rank,
    CAST(_r.item_id AS ${item_type}) AS item_id,
    _r.score AS score,
    {${contributions}} AS contributions,
    _r.unmet AS unmet,
    _r.personal AS personal,
    ${reason} AS reason
FROM ${later} (
    SELECT
        _a._history AS _history,
        epoch(_a._as_of) AS _now,
        unnest(morec_rank_items(
            current_database(), ${schema_name}, ${version}, current_query_id(),
            (
                SELECT list(_j.item_index)
                FROM (SELECT unnest(TRY_CAST(items AS ${item_type}[])) AS _id) AS _g
                JOIN ${schema}.item_vectors AS _j ON _j.item_id = _g._id
            ),
            _a._history,
            epoch(_a._as_of),
            _a._weights,
            coalesce(_a._k, greatest(len(TRY_CAST(items AS ${item_type}[])), 1)),
            _a._filter, _a._exclude_seen, _a._diversify, _a._limited
        )) AS _r
    FROM (
        SELECT *, (${history}) AS _history
        FROM (
            ${asked}
        )
    ) AS _a
) AS _ranked;

-- Makes recommend and recommend_for.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    _r.rank AS rank,
    CAST(_r.item_id AS ${item_type}) AS item_id,
    _r.score AS score,
    {${contributions}} AS contributions,
    _r.unmet AS unmet,
    _r.personal AS personal
FROM ${later} (
    SELECT unnest(morec_recommend(
        current_database(), ${schema_name}, ${version}, current_query_id(),
        (${history}),
        epoch(_a._as_of),
        _a._weights, _a._k, _a._filter, _a._exclude_seen, _a._diversify, _a._limited
    )) AS _r
    FROM (
        ${asked}
    ) AS _a
) AS _ranked;

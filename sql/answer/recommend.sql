-- Makes recommend, recommend_for and complete_basket; and, among some items alone, rank_items. Where
-- the recommender has contexts, list_concat puts that of the query behind the history.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    _r.rank AS rank,
    CAST(_r.item_id AS ${item_type}) AS item_id,
    _r.score AS score,
    {${contributions}} AS contributions,
    _r.unmet AS unmet,
    _r.personal AS personal,
    ${reason} AS reason,
    _r.adjustments AS adjustments,
    _r.propensity AS propensity
FROM ${later} (
    SELECT
        _a._history AS _history,
        epoch(_a._as_of) AS _now,
        _a._limited AS _limited,
        _a._version AS _version,
        unnest(${udf}(
            current_database(), ${schema_name}, _a._version, current_query_id(),
            ${among}
            _a._history,
            epoch(_a._as_of),
            _a._weights, _a._k, _a._filter, _a._exclude_seen, _a._diversify,
            concat(_a._rules, _a._limited, chr(10), ${user})
        )) AS _r
    FROM (
        SELECT *, ${with_context}((${history})${context}) AS _history
        FROM (
            ${asked}
        )
    ) AS _a
) AS _ranked;

-- Makes explain and explain_basket.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    _r.kind AS kind,
    _r.name AS name,
    _r.contribution AS contribution,
    _r.share AS share
FROM ${later} (
    SELECT unnest(morec_explain(
        current_database(), ${schema_name}, ${version}, current_query_id(),
        CAST(item_id AS VARCHAR),
        (
            SELECT _j.item_index
            FROM ${schema}.item_vectors AS _j
            WHERE _j.item_id = greatest(TRY_CAST(item_id AS ${item_type}))
        ),
        _a._reasons,
        (${history}),
        epoch(_a._as_of),
        _a._weights, _a._k, _a._filter, _a._exclude_seen, _a._diversify, _a._limited
    )) AS _r
    FROM (
        SELECT
            *,
            coalesce(TRY_CAST(reasons AS DOUBLE), CAST('nan' AS DOUBLE)) AS _reasons
        FROM (
            ${asked}
        )
    ) AS _a
) AS _explained;

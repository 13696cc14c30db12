-- Makes explain, explain_basket and what_if: rows about an item in a list.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT ${columns}
FROM ${later} (
    SELECT unnest(${udf}(
        current_database(), ${schema_name}, _a._version, current_query_id(),
        CAST(item_id AS VARCHAR),
        (${item}),
        _a._most,
        ${with_context}((${history})${context}),
        epoch(_a._as_of),
        _a._weights, _a._k, _a._filter, _a._exclude_seen, _a._diversify,
        concat(_a._rules, _a._limited, chr(10), ${user})
    )) AS _r
    FROM (
        SELECT
            *,
            coalesce(TRY_CAST(most AS DOUBLE), CAST('nan' AS DOUBLE)) AS _most
        FROM (
            ${asked}
        )
    ) AS _a
) AS _explained;

-- The items that are most like one.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    _r.rank AS rank,
    CAST(_r.item_id AS ${item_type}) AS item_id,
    _r.similarity AS similarity
FROM ${later} (
    SELECT unnest(morec_similar_items(
        current_database(), ${schema_name}, ${version}, current_query_id(),
        CAST(item_id AS VARCHAR),
        (${item}),
        coalesce(TRY_CAST(k AS DOUBLE), CAST('nan' AS DOUBLE)),
        CAST("by" AS VARCHAR),
        CAST(filter AS VARCHAR)
    )) AS _r
) AS _similar;

-- The items that a text asks for.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    _r.rank AS rank,
    CAST(_r.item_id AS ${item_type}) AS item_id,
    _r.score AS score,
    _r.by_words AS by_words,
    _r.by_meaning AS by_meaning,
    _r.by_user AS by_user
FROM ${later} (
    SELECT unnest(morec_search(
        current_database(), ${schema_name}, ${version}, current_query_id(),
        CAST(words AS VARCHAR),
        (${history}),
        coalesce(TRY_CAST(k AS DOUBLE), CAST('nan' AS DOUBLE)),
        CAST(filter AS VARCHAR),
        CAST(to_json(weights) AS VARCHAR)
    )) AS _r
) AS _found;

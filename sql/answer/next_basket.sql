-- What a user takes again: how likely, and when it is to be expected.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT ${columns}
FROM ${later} (
    SELECT
        _t.*,
        _a._found.probability AS probability,
        row_number() OVER (ORDER BY _a._found.probability DESC, _t.item_id) AS _rank
    FROM (
        SELECT unnest(morec_again(
            current_database(), ${schema_name}, ${version}, current_query_id(), (${history}), NULL
        )) AS _found
    ) AS _a
    JOIN (
        ${rhythm}
    ) AS _t
        ON _t.item_id = CAST(_a._found.item_id AS ${item_type})
        AND _t.user_id = greatest(TRY_CAST(user_id AS ${user_type}))
) AS _r
WHERE _r._rank <= k
ORDER BY _r._rank;

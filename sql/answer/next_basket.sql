-- What a user takes again: how likely, and when it is to be expected.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    _next._item_id AS item_id,
    _next._probability AS probability,
    _next._times AS times,
    _next._last AS last,
    _next._expected AS expected,
    _next._earliest AS earliest,
    _next._latest AS latest
FROM ${later} (
    SELECT
        _t.*,
        _a._r.probability AS _probability,
        row_number() OVER (ORDER BY _a._r.probability DESC, _t._item_id) AS _rank
    FROM (
        SELECT unnest(morec_again(
            current_database(), ${schema_name}, ${version}, current_query_id(), (${history}), NULL
        )) AS _r
    ) AS _a
    JOIN (
        ${rhythm}
    ) AS _t
        ON _t._item_id = CAST(_a._r.item_id AS ${item_type})
        AND _t._user_id = greatest(TRY_CAST(user_id AS ${user_type}))
) AS _next
WHERE _next._rank <= k
ORDER BY _next._rank;

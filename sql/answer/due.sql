-- Who is due for what on a day: what users take again in a rhythm that makes it likely then.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    _next._user_id AS user_id,
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
        row_number() OVER (
            PARTITION BY _t._user_id ORDER BY _a._r.probability DESC, _t._item_id
        ) AS _rank
    FROM (
        SELECT
            _w.user_id AS _user_id,
            unnest(morec_again(
                current_database(), ${schema_name}, ${version}, current_query_id(), (${history}),
                NULL
            )) AS _r
        FROM (SELECT DISTINCT _e.user_id AS user_id FROM ${schema}.events AS _e) AS _w
    ) AS _a
    JOIN (
        ${rhythm}
    ) AS _t
        ON _t._user_id = _a._user_id AND _t._item_id = CAST(_a._r.item_id AS ${item_type})
    WHERE CAST(day AS DATE) BETWEEN _t._earliest AND _t._latest
) AS _next
WHERE _next._rank <= k
ORDER BY _next._probability DESC, _next._user_id, _next._item_id;

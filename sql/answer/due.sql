-- Who is due for what on a day: what users take again in a rhythm that makes it likely then.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT ${columns}
FROM ${later} (
    SELECT
        _t.*,
        _a._found.probability AS probability,
        row_number() OVER (
            PARTITION BY _t.user_id ORDER BY _a._found.probability DESC, _t.item_id
        ) AS _rank
    FROM (
        SELECT
            _w.user_id AS _user_id,
            unnest(morec_again(
                current_database(), ${schema_name}, ${version}, current_query_id(), (${history}),
                NULL
            )) AS _found
        FROM (SELECT DISTINCT _e.user_id AS user_id FROM ${schema}.events AS _e) AS _w
    ) AS _a
    JOIN (
        ${rhythm}
    ) AS _t
        ON _t.user_id = _a._user_id AND _t.item_id = CAST(_a._found.item_id AS ${item_type})
    WHERE CAST(day AS DATE) BETWEEN _t.earliest AND _t.latest
) AS _r
WHERE _r._rank <= k
ORDER BY _r.probability DESC, _r.user_id, _r.item_id;

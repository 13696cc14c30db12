-- The users who are most likely to want an item, of all who have an event or are in the table of users;
-- those of whom nothing is known that counts come last.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT ${columns}
FROM ${later} (
    SELECT
        CAST(row_number() OVER (ORDER BY _s._personal DESC, _s._score DESC, _s._user_id) AS INTEGER)
            AS rank,
        _s._user_id AS user_id,
        _s._score AS score,
        _s._known AS known,
        _s._personal AS personal
    FROM (
        SELECT
            _h.user_id AS _user_id,
            _h._known AS _known,
            coalesce(len(_h._history), 0) > 0 AS _personal,
            morec_score(
                current_database(), ${schema_name}, ${version}, current_query_id(),
                CAST(_h.user_id AS VARCHAR),
                coalesce(
                    (${item}),
                    CAST(
                        error(
                            'item_id: ' || coalesce(CAST(item_id AS VARCHAR), 'NULL')
                            || ' is not an item of the catalogue'
                        ) AS INTEGER
                    )
                ),
                _h._history,
                NULL,
                CAST(to_json(weights) AS VARCHAR)
            ) AS _score
        FROM (
            SELECT _w.user_id AS user_id, _w._known AS _known, (${history}) AS _history
            FROM (
                SELECT _a.user_id AS user_id, coalesce(bool_or(_a._known), false) AS _known
                FROM (
                    SELECT
                        _e.user_id AS user_id,
                        _e.item_id = greatest(TRY_CAST(item_id AS ${item_type})) AS _known
                    FROM ${schema}.events AS _e
                    UNION ALL
                    SELECT _u.user_id, false FROM ${schema}.users AS _u
                ) AS _a
                GROUP BY _a.user_id
            ) AS _w
            WHERE
                filter IS NULL
                OR _w.user_id IN (
                    SELECT TRY_CAST(_f._user_id AS ${user_type})
                    FROM (
                        SELECT unnest(morec_users(
                            current_database(), ${schema_name}, ${version}, current_query_id(),
                            CAST(filter AS VARCHAR)
                        )) AS _user_id
                    ) AS _f
                )
        ) AS _h
    ) AS _s
    WHERE NOT (
        _s._known AND coalesce(
            CAST(exclude_seen AS BOOLEAN),
            (SELECT CAST(_c.model ->> 'exclude_seen' AS BOOLEAN) FROM ${schema}.settings AS _c)
        )
    )
) AS _r
WHERE _r.rank <= k
ORDER BY _r.rank;

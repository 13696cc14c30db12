-- The labels of a user, behind the events.
, (
    SELECT list(${packed})
    FROM (
        SELECT _l.user_id AS _user_id, unnest(_l.labels) AS _t FROM ${schema}.user_labels AS _l
    ) AS _k
    WHERE _k._user_id = greatest(TRY_CAST(user_id AS ${user_type}))
)

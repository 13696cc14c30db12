-- The labels of users who have events.
CREATE TEMP TABLE morec_labelled AS
SELECT DISTINCT _m.user_index AS user_index, _m.user_index AS "row", _u._label AS label
FROM (
    SELECT ${user_id} AS _user_id, unnest(${labels}) AS _label
    FROM ${users} AS _i
    WHERE ${usable}
) AS _u
JOIN morec_users AS _m ON _m.user_id = _u._user_id

-- Whose each id of a channel is; one that several users have is nobody's.

LEFT JOIN (
    SELECT _m.${id} AS _id, min(_m.${user}) AS _user_id
    FROM ${table} AS _m
    GROUP BY _m.${id}
    HAVING count(DISTINCT _m.${user}) = 1
) AS _k ON _k._id = ${own}

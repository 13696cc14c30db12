-- The friends of users among those who have events, by their numbers; the largest weights of many.
SELECT
    _u.user_index AS user_index,
    _f.user_index AS friend_index,
    max(_g.weight) AS weight
FROM (${edges}) AS _g
JOIN morec_users AS _u ON _u.user_id = _g.source
JOIN morec_users AS _f ON _f.user_id = _g.target
WHERE ${usable} AND _g.source <> _g.target
GROUP BY _u.user_index, _f.user_index
QUALIFY
    row_number()
        OVER (PARTITION BY _u.user_index ORDER BY max(_g.weight) DESC, _f.user_index) <= ${most}
ORDER BY user_index, friend_index

-- The number that each item of the version in use has in another one, -1 where it is not there.
SELECT coalesce(_o.item_index, -1) AS number
FROM ${present} AS _v
LEFT JOIN ${of} AS _o ON _o.item_id = _v.item_id
ORDER BY _v.item_index

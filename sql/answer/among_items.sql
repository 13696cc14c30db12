-- The numbers of the items that a list is chosen from, as an argument before others.
(
    SELECT list(_j.item_index)
    FROM (SELECT unnest(TRY_CAST(items AS ${item_type}[])) AS _id) AS _g
    JOIN ${schema}.item_vectors AS _j ON _j.item_id = _g._id
),

-- Minus the mean distance of the list's items from what the user is used to, of one objective.
LEFT JOIN (
    SELECT _l.model, _l.user_id, -avg(abs(_v.value - _t.value)) AS ${column}
    FROM morec_lists AS _l
    JOIN morec_values_${position} AS _v ON _v.item_id = _l.item_id
    JOIN morec_tastes_${position} AS _t ON _t.user_id = _l.user_id
    WHERE isfinite(_v.value)
    GROUP BY ALL
) USING (model, user_id)

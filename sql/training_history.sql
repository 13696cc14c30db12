-- The user-item pairs as of a moment, sorted by user.
SELECT
    _e.user_index AS user,
    _e.item_index AS item,
    ${pair_features}
FROM morec_events AS _e
WHERE ${before}
GROUP BY _e.user_index, _e.item_index
ORDER BY _e.user_index, _e.item_index

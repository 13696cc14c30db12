-- A table of what was shown under standard names, with the place in the list, 1 where none is known.
SELECT
    ${user_id} AS user_id,
    ${item_id} AS item_id,
    CAST(_s.${shown_at} AS TIMESTAMP) AS shown_at,
    ${place} AS place
FROM ${table} AS _s

-- Every row of the events table under standard names, with the weight of the event,
-- and whether it is what relevance is about.
SELECT
    ${user_id} AS user_id,
    ${item_id} AS item_id,
    ${event_time} AS event_time,
    CAST((${event_weight}) AS DOUBLE) AS weight,
    coalesce(${wanted}, false) AS wanted${beside}
FROM ${events} AS _e

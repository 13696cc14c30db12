-- Every row of the events table under standard names, with the weight of the event,
-- and whether it is what relevance is about.
SELECT
    _e.${user_id} AS user_id,
    ${item_id} AS item_id,
    ${event_time} AS event_time,
    CAST(_e._weight AS DOUBLE) AS weight,
    _e._wanted AS wanted
FROM (
    SELECT *, (${event_weight}) AS _weight, coalesce(${wanted}, false) AS _wanted FROM ${events}
) AS _e

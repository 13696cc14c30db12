-- Every row of the events table under standard names, with the weight of the event.
SELECT
    _e.${user_id} AS user_id,
    ${item_id} AS item_id,
    ${event_time} AS event_time,
    CAST(_e._weight AS DOUBLE) AS weight
FROM (SELECT *, (${event_weight}) AS _weight FROM ${events}) AS _e

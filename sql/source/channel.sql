-- The events of one channel under standard names, with its other columns as they are.
SELECT
    ${user_id} AS user_id,
    ${item_id} AS item_id,
    ${event_time} AS event_time,
    ${event_weight} AS event_weight,
    ${channel} AS channel,
    _e.*${excluded}
FROM ${events} AS _e${identities}

-- The history of each of some users, whose ids are texts.
SELECT _a.user_id, (${history}) AS history
FROM (SELECT unnest(?) AS user_id) AS _a

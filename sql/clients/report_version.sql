-- The version in use: what it learnt from, and the nDCG@20 of relevance on what was held out.
SELECT id, created_at, made_by, first_event, last_event, events, users, items, ndcg, ndcg_error
FROM ${rows}
WHERE in_use;

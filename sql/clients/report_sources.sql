-- What each source beside the events is worth, by nDCG@20 on what was held out.
SELECT source, lists, count, ndcg, ndcg_without, error, used
FROM ${rows};

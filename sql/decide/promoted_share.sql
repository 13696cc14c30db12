-- A further column: the share that was under a kind of promotion, by what counts.
, sum(CASE WHEN promoted_${kind} THEN ${by} ELSE 0 END) / sum(${by}) AS promoted_${kind}

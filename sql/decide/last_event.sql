-- The second of the last event of a recommender.
SELECT epoch(max(event_time)) AS last FROM ${schema}.events

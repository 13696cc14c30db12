-- Figures of the version of ${name} that is in use: its number, its age in seconds, its nDCG, and
-- the events after the last that it was trained on.
SELECT
    _v.id,
    epoch(now()) - epoch(_v.created_at),
    _v.ndcg,
    (SELECT count(*) FROM ${schema}.events AS _e WHERE _e.event_time > _v.last_event)
FROM ${schema}.versions AS _v
WHERE _v.in_use

-- How many users took a step, and how long it took them.
SELECT
    ${step} AS step,
    count(*) AS users,
    median(epoch(_s.reached) - epoch(_s.before)) / 86400 AS days
FROM _step_${step} AS _s

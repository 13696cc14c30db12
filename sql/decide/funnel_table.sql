-- How many users take the steps of a funnel, one after another.
WITH _events AS (
    SELECT * FROM (${events}) AS _c WHERE ${usable} AND _c.event_time IS NOT NULL
),

_step_0 AS (
    SELECT
        _e.user_id AS user_id,
        min(_e.event_time) AS began,
        min(_e.event_time) AS reached,
        min(_e.event_time) AS before
    FROM _events AS _e
    WHERE _e.step_0
    GROUP BY _e.user_id
),

${steps}

${counts}
ORDER BY step

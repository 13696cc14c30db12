-- Who takes a step of a funnel, and when first: after the step before, and soon enough after the first.
_step_${step} AS (
    SELECT
        _p.user_id AS user_id,
        any_value(_p.began) AS began,
        min(_e.event_time) AS reached,
        any_value(_p.reached) AS before
    FROM _step_${previous} AS _p
    JOIN _events AS _e
        ON _e.user_id = _p.user_id
        AND _e.${column}
        AND _e.event_time >= _p.reached
        AND epoch(_e.event_time) <= epoch(_p.began) + ${within}
    GROUP BY _p.user_id
)

-- Of the users whose first order was in a period, how many order in each period from then on.
WITH _orders AS (
    SELECT DISTINCT
        _e.user_id AS user_id,
        CAST(date_trunc(${cohort}, _e.event_time) AS DATE) AS period
    FROM ${schema}.events AS _e
    WHERE epoch(_e.event_time) < ${until}
),

_firsts AS (
    SELECT _o.user_id AS user_id, min(_o.period) AS cohort FROM _orders AS _o GROUP BY ALL
),

_users AS (
    SELECT _f.user_id AS user_id, _f.cohort AS cohort, _s.segment AS segment
    FROM _firsts AS _f
    LEFT JOIN (${segments}) AS _s ON _s.user_id = _f.user_id
),

_sizes AS (
    SELECT _u.cohort AS cohort, _u.segment AS segment, count(*) AS users FROM _users AS _u GROUP BY ALL
),

_active AS (
    SELECT
        _u.cohort AS cohort,
        _u.segment AS segment,
        date_diff(${cohort}, _u.cohort, _o.period) AS period,
        count(*) AS active
    FROM _orders AS _o
    JOIN _users AS _u ON _u.user_id = _o.user_id
    GROUP BY ALL
),

_last AS (
    SELECT
        date_trunc(${cohort}, max(_e.event_time)) AS last,
        CAST(max(_e.event_time) AS DATE) + INTERVAL 1 DAY AS until
    FROM ${schema}.events AS _e
    WHERE epoch(_e.event_time) < ${until}
),

_grid AS (
    SELECT
        _s.cohort AS cohort,
        _s.segment AS segment,
        _s.users AS users,
        CAST(unnest(range(date_diff(${cohort}, _s.cohort, CAST(_l.last AS DATE)) + 1)) AS INTEGER)
            AS period,
        _l.until AS until
    FROM _sizes AS _s, _last AS _l
)

SELECT
    CAST(_g.cohort AS VARCHAR) AS cohort,
    CAST(_g.segment AS VARCHAR) AS segment,
    _g.period AS period,
    _g.users AS users,
    coalesce(_a.active, 0) AS active,
    coalesce(_a.active, 0) / _g.users AS share,
    date_add(CAST(_g.cohort AS TIMESTAMP), (_g.period + 1) * ${step}) <= _g.until AS complete
FROM _grid AS _g
LEFT JOIN _active AS _a
    ON _a.cohort = _g.cohort
    AND _a.period = _g.period
    AND _a.segment IS NOT DISTINCT FROM _g.segment
ORDER BY _g.cohort, _g.segment, _g.period

-- Makes retention: of those who ordered first in the same period, how many order in each from then on.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    CAST(_r.cohort AS DATE) AS cohort,
    _r.segment AS segment,
    _r.period AS period,
    _r.users AS users,
    _r.active AS active,
    _r.share AS share,
    _r.complete AS complete
FROM ${later} (
    SELECT unnest(${call}) AS _r
) AS _rows;

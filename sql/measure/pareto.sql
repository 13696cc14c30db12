-- Makes pareto: weight vectors whose lists no other one's beat on a time split.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    {${weights}} AS weights,
    ${metrics},
    _r.hypervolume_contribution AS hypervolume_contribution,
    _r.knee AS knee,
    _r.today AS today,
    _r.dominated AS dominated
FROM ${later} (
    SELECT unnest(${call}) AS _r
) AS _points;

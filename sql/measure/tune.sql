-- Makes tune: the weight vector whose lists a preference likes best on a time split.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    {${weights}} AS weights,
    ${metrics},
    _r.evaluations AS evaluations
FROM ${later} (
    SELECT unnest(${call}) AS _r
) AS _tuned;

-- Makes explain_campaign: the parts that add up to what is expected of a campaign for a user.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT ${columns}
FROM ${later} (
    SELECT unnest(${call}) AS _r
) AS _rows;

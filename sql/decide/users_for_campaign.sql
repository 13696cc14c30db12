-- Makes users_for_campaign: whom to offer a campaign.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    _r.rank AS rank,
    CAST(_r.user_id AS ${user_type}) AS user_id,
    _r.cost AS cost,
    ${rated}
FROM ${later} (
    SELECT unnest(${call}) AS _r
) AS _rows;

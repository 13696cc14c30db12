-- Makes recommend_campaigns: the campaigns that go on, or are to come, ranked for a user.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    _r.rank AS rank,
    CAST(_r.campaign_id AS ${campaign_type}) AS campaign_id,
    ${rated}
FROM ${later} (
    SELECT unnest(${call}) AS _r
) AS _rows;

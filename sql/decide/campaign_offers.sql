-- Whom finished campaigns were offered to, as texts: morec_finished has them.
SELECT
    CAST(_m.user_id AS VARCHAR) AS user_id,
    CAST(_m.campaign_id AS VARCHAR) AS campaign_id,
    _m.control AS control,
    _f.place AS place
FROM ${schema}.campaign_members AS _m
JOIN morec_finished AS _f ON _f.campaign_id = CAST(_m.campaign_id AS VARCHAR)
ORDER BY _f.place, _m.user_id

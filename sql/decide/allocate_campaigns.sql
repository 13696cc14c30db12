-- Makes allocate_campaigns: which campaigns to offer to each of many users.
CREATE OR REPLACE ${temporary}MACRO ${schema}.${name}(${parameters}) AS TABLE
SELECT
    CAST(_r.user_id AS ${user_type}) AS user_id,
    _r.rank AS rank,
    CAST(_r.item_id AS ${campaign_type}) AS campaign_id,
    _r.score AS score,
    _r.price AS price,
    _r.unmet AS unmet,
    _r.participation AS participation,
    _r.conversion AS conversion,
    _r.satisfaction AS satisfaction,
    _r.uplift AS uplift,
    _r.evidence AS evidence
FROM ${later} (
    SELECT unnest(${call}) AS _r
) AS _rows;

-- The value of an expression for each of some campaigns: morec_known has them as texts, by their places.
SELECT _v.value AS value
FROM morec_known AS _k
LEFT JOIN (
    SELECT CAST(campaign_id AS VARCHAR) AS _id, any_value(${value}) AS value
    FROM ${campaigns}
    GROUP BY _id
) AS _v ON _v._id = _k.id
ORDER BY _k.place

-- The latest campaigns: whom they were offered to, and how many took part.
SELECT
    _c.campaign_id,
    _c.starts,
    _c.ends,
    _m.users,
    _m.held_back,
    (
        SELECT count(DISTINCT _r.user_id)
        FROM ${schema}.campaign_redemptions AS _r
        WHERE _r.campaign_id = _c.campaign_id
    ) AS took_part
FROM ${rows} AS _c
LEFT JOIN (
    SELECT
        _o.campaign_id,
        count(*) FILTER (NOT _o.control) AS users,
        count(*) FILTER (_o.control) AS held_back
    FROM ${schema}.campaign_members AS _o
    GROUP BY _o.campaign_id
) AS _m ON _m.campaign_id = _c.campaign_id
ORDER BY _c.starts DESC
LIMIT 20;

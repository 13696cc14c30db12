-- Whose events count for each user, the largest weights of many. Edges that come twice are one.
CREATE OR REPLACE VIEW ${schema}.user_graph AS
SELECT _g.source AS user_id, _g.target AS friend_id, max(_g.weight) AS weight
FROM (${edges}) AS _g
WHERE ${usable} AND _g.source <> _g.target
GROUP BY _g.source, _g.target
QUALIFY
    row_number() OVER (PARTITION BY _g.source ORDER BY max(_g.weight) DESC, _g.target) <= ${most};

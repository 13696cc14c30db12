-- Whose events count for each user.
CREATE OR REPLACE VIEW ${schema}.user_graph AS
SELECT _g.source AS user_id, _g.target AS friend_id, _g.weight AS weight
FROM (${edges}) AS _g
WHERE ${usable} AND _g.source <> _g.target;

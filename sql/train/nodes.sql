-- The nodes of the graph of items: all items, and behind them what is none.
CREATE TEMP TABLE morec_edges AS
SELECT _g.source, _g.target, max(_g.weight) AS weight
FROM (${edges}) AS _g
WHERE ${usable} AND _g.source <> _g.target
GROUP BY _g.source, _g.target;

CREATE TEMP TABLE morec_nodes AS
SELECT
    CAST(_i.item_id AS VARCHAR) AS name,
    row_number() OVER (ORDER BY CAST(_i.item_id AS VARCHAR)) - 1 AS number,
    true AS is_item
FROM (${items}) AS _i;

INSERT INTO morec_nodes
SELECT
    _n.name,
    (SELECT count(*) FROM morec_nodes) + row_number() OVER (ORDER BY _n.name) - 1 AS number,
    false AS is_item
FROM (
    SELECT source AS name FROM morec_edges
    UNION
    SELECT target FROM morec_edges
) AS _n
WHERE _n.name NOT IN (SELECT _k.name FROM morec_nodes AS _k);

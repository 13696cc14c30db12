-- The edges of the graph of items by the numbers of their nodes.
SELECT _s.number AS source, _t.number AS target, _e.weight AS weight
FROM morec_edges AS _e
JOIN morec_nodes AS _s ON _s.name = _e.source
JOIN morec_nodes AS _t ON _t.name = _e.target
ORDER BY source, target

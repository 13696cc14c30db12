-- The items that prices are about, with what expressions over them say.
SELECT CAST(_i.item_id AS VARCHAR) AS item_id, ${columns}
FROM (SELECT * FROM ${schema}.items WHERE ${predicate}) AS _i

-- The items that the recommender was trained on, under its own numbers, with their values of today.
CREATE OR REPLACE TEMP TABLE morec_items AS
SELECT
    _v.item_index,
    _v.item_id,
    coalesce(_i._declared, false) AS _declared,
    _i.* EXCLUDE (item_index, item_id, _declared)
FROM ${schema}.item_vectors AS _v
LEFT JOIN morec_items AS _i ON _i.item_id = _v.item_id
ORDER BY _v.item_index

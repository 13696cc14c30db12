-- The view items where no items table is declared: the ids that the events held in training.
CREATE OR REPLACE VIEW ${schema}.items AS
SELECT _v.item_id FROM ${schema}.item_vectors AS _v;

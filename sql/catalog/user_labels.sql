-- What the table of users says of each, as labels.
CREATE OR REPLACE VIEW ${schema}.user_labels AS
SELECT ${user_id} AS user_id, ${labels} AS labels
FROM ${users} AS _i
WHERE ${usable};

-- How many rows of the items table have no id, or an id that came before.
SELECT
    count(*) FILTER (${item_id} IS NULL) AS without_id,
    count(${item_id}) - count(DISTINCT ${item_id}) AS repeated
FROM ${items}

-- How many rows of the items table have no id, or an id that came before.
SELECT
    count(*) FILTER (NOT (${usable})) AS without_id,
    count(*) FILTER (${usable}) - count(DISTINCT ${item_id}) FILTER (${usable}) AS repeated
FROM ${items} AS _i

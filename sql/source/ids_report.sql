-- How many rows of the table of items or users have no id, or an id that came before.
SELECT
    count(*) FILTER (NOT (${usable})) AS without_id,
    count(*) FILTER (${usable}) - count(DISTINCT ${id}) FILTER (${usable}) AS repeated
FROM ${own} AS _i

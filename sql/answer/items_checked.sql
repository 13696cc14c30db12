-- A number that changes where some columns of the items do.
SELECT count(*) || ' ' || coalesce(sum(hash(${columns})), 0) FROM ${schema}.items

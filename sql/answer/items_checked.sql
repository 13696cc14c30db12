-- Two numbers, of which one changes where some columns of the items do.
SELECT count(*), sum(hash(${columns})) FROM ${schema}.items

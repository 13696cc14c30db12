-- Nothing, or what is said where a query has a context and none was declared.
|| CASE WHEN context IS NULL THEN '' ELSE error(${said}) END

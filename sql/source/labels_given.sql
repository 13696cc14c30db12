-- The labels of what a query says in an argument, a struct by names of features.
SELECT ${labels} AS _labels
FROM (
    SELECT unnest(from_json(
        CASE
            WHEN ${argument} IS NULL OR (
                json_type(to_json(${argument})) = 'OBJECT' AND len(list_filter(
                    json_keys(to_json(${argument})), lambda _k: NOT list_contains([${names}], _k)
                )) = 0
            )
                THEN coalesce(to_json(${argument}), CAST('{}' AS JSON))
            ELSE CAST(
                error(${said} || CAST(to_json(${argument}) AS VARCHAR) || ${shown}) AS JSON
            )
        END,
        ${types}
    ))
) AS _i

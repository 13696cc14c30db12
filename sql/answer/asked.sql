-- What is asked of a list, cast. It has no FROM, so that a column name in an argument cannot meet a
-- column of the tables. _rules says whether the rules are those that were read before, 0 without any:
-- reading them is a statement of its own.
SELECT
    CAST(to_json(weights) AS VARCHAR) AS _weights,
    coalesce(TRY_CAST(k AS DOUBLE), CASE WHEN k IS NOT NULL THEN CAST('nan' AS DOUBLE) END)
        AS _k,
    CAST(filter AS VARCHAR) AS _filter,
    CASE
        WHEN exclude_seen IS NULL OR TRY_CAST(exclude_seen AS BOOLEAN) IS NOT NULL
            THEN TRY_CAST(exclude_seen AS BOOLEAN)
        ELSE CAST(
            error('exclude_seen: ' || exclude_seen || ' is neither true nor false')
            AS BOOLEAN
        )
    END AS _exclude_seen,
    CAST(diversify AS VARCHAR) AS _diversify,
    nullif(
        CAST(to_json({${limits}}) AS VARCHAR),
        ${no_limits}
    ) AS _limited,
    (SELECT coalesce(sum(hash(_q)), 0) FROM ${schema}.rules AS _q) AS _rules,
    CASE
        WHEN as_of IS NULL OR TRY_CAST(as_of AS TIMESTAMP) IS NOT NULL
            THEN TRY_CAST(as_of AS TIMESTAMP)
        ELSE CAST(error('as_of: ' || as_of || ' is no time') AS TIMESTAMP)
    END AS _as_of,
    ${version} || coalesce('/' || version, '') AS _version

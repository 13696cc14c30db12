-- What a feature is like: how many values, how many of them are rare, how many words, and where
-- its numbers are to be cut.
SELECT
    count(DISTINCT _v._value) AS _values,
    avg(CAST(_v._users >= ${least} AS DOUBLE)) AS _common,
    quantile_cont(_v._words, 0.5) AS _words,
    (
        SELECT list_distinct(list(_q))
        FROM (
            SELECT unnest(quantile_disc(_n._number, [${quantiles}])) AS _q
            FROM (
                SELECT ${number} AS _number FROM ${rows}
            ) AS _n
            WHERE isfinite(_n._number)
        )
    ) AS _cuts
FROM (
    SELECT
        _c._value AS _value,
        len(string_split(_c._value, ' ')) AS _words,
        count(*) OVER (PARTITION BY _c._value) AS _users
    FROM (
        SELECT trim(CAST(${value} AS VARCHAR)) AS _value FROM ${rows}
    ) AS _c
    WHERE _c._value <> ''
) AS _v

-- What a feature is like: how many values, the share of the rows whose value ${least} of them have, and
-- of those that have ${words} words, and where its numbers are to be cut.
SELECT
    count(*) AS _values,
    sum(_v._rows) FILTER (_v._rows >= ${least}) / sum(_v._rows) AS _common,
    sum(_v._rows) FILTER (len(string_split(_v._value, ' ')) >= ${words}) / sum(_v._rows) AS _long,
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
    SELECT _c._value AS _value, count(*) AS _rows
    FROM (
        SELECT trim(CAST(${value} AS VARCHAR)) AS _value FROM ${rows}
    ) AS _c
    WHERE _c._value <> ''
    GROUP BY _c._value
) AS _v

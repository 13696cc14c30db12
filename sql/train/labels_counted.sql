-- The labels that are learnt. Those of fewer than ${least} users are left out, so that none says
-- something of a person, as is what all rows have in common, and of many the commonest are kept.
CREATE TEMP TABLE morec_labels AS
SELECT
    _c.label,
    _c.users,
    ${key} AS key,
    CAST(row_number() OVER (ORDER BY ${key}) - 1 AS INTEGER) AS number
FROM (
    SELECT label, count(DISTINCT user_index) AS users
    FROM morec_labelled
    GROUP BY label
    HAVING count(DISTINCT user_index) >= ${least} AND count(*) < (SELECT count(*) FROM ${rows})
    ORDER BY users DESC, label
    LIMIT ${most}
) AS _c

-- What lists are worth on a public split, as its published tables measure: over the users of the
-- test, recall (hits / truth), nDCG (binary gains, ideal over min(k, truth)) and APLT, the mean
-- share of a list that is of the long tail. Users without a list count as 0.
WITH hits AS (
    SELECT
        l.model,
        l.user_id,
        count(t.item_id) AS found,
        coalesce(sum(1 / log2(l.rank + 1)) FILTER (t.item_id IS NOT NULL), 0) AS dcg,
        avg(i.long_tail) AS aplt
    FROM lists AS l
    LEFT JOIN truth AS t ON t.user_id = l.user_id AND t.item_id = l.item_id
    JOIN tail AS i ON i.item_id = l.item_id
    GROUP BY ALL
),

wanted AS (
    SELECT
        user_id,
        count(*) AS size,
        list_sum([1 / log2(i + 1) FOR i IN range(1, least(count(*), $k) + 1)]) AS ideal
    FROM truth
    GROUP BY user_id
)

SELECT
    m.model,
    avg(coalesce(h.found, 0) / w.size) AS recall,
    avg(coalesce(h.dcg, 0) / w.ideal) AS ndcg,
    avg(coalesce(h.aplt, 0)) AS aplt
FROM (SELECT DISTINCT model FROM lists) AS m
CROSS JOIN wanted AS w
LEFT JOIN hits AS h ON h.model = m.model AND h.user_id = w.user_id
GROUP BY m.model
ORDER BY ndcg DESC

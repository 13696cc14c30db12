{# Every user of the lists has k rows, ranked from 1. #}
{% test recommends_k(model, k=10, user_id='user_id') %}
    SELECT {{ user_id }}, count(*) AS rows
    FROM {{ model }}
    GROUP BY {{ user_id }}
    HAVING count(*) <> {{ k }} OR min(rank) <> 1 OR max(rank) <> {{ k }}
{% endtest %}

{# No list holds what its user has in the history of a recommender. #}
{% test no_known_items(model, recommender) %}
    SELECT l.user_id, l.item_id
    FROM {{ model }} AS l
    SEMI JOIN {{ adapter.quote(recommender) }}.events AS e
        ON e.user_id = l.user_id AND e.item_id = l.item_id
{% endtest %}

{# All items of the lists are in the items table of a recommender. #}
{% test items_in_catalogue(model, recommender) %}
    SELECT l.user_id, l.item_id
    FROM {{ model }} AS l
    ANTI JOIN {{ adapter.quote(recommender) }}.items AS i ON i.item_id = l.item_id
{% endtest %}

{# The version in use of a recommender, which is the model, is as good as this on what was held out
   of its training: nDCG@20 of relevance. #}
{% test ndcg_at_least(model, at_least) %}
    SELECT id, ndcg
    FROM {{ model }}
    WHERE in_use AND (ndcg IS NULL OR ndcg < {{ at_least }})
{% endtest %}

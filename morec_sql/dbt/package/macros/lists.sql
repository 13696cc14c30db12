{#
  The lists of all users of a recommender, for an incremental model with unique_key='user_id': users
  whose events changed since, and after a new version all, are computed anew.

      {{ config(materialized='incremental', unique_key='user_id') }}
      {{ morec.lists('shop', k=20, more="weights => {relevance: 1}") }}

  more are further arguments of recommend. Names the model of the recommender, so that dbt knows it.
#}
{% macro lists(recommender, k=10, more='') %}
    {%- set model = ref(recommender) -%}
    {%- set schema = adapter.quote(recommender) -%}
    SELECT
        u.user_id,
        r.rank,
        r.item_id,
        r.score,
        u.events,
        u.last_event,
        u.version
    FROM (
        SELECT
            e.user_id,
            count(*) AS events,
            max(e.event_time) AS last_event,
            any_value(v.id) AS version
        FROM {{ schema }}.events AS e, {{ model }} AS v
        WHERE v.in_use
        GROUP BY e.user_id
    ) AS u,
    {{ schema }}.recommend(u.user_id, k => {{ k }}{{ ', ' ~ more if more }}) AS r
    {% if is_incremental() %}
    WHERE NOT EXISTS (
        SELECT 1
        FROM {{ this }} AS t
        WHERE
            t.user_id = u.user_id
            AND t.events = u.events
            AND t.last_event IS NOT DISTINCT FROM u.last_event
            AND t.version = u.version
    )
    {% endif %}
{% endmacro %}

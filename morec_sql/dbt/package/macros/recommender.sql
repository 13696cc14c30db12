{#
  A model file that is a recommender: its body are the arguments of create_recommender.

      {{ config(materialized='recommender') }}
      events => '{{ ref("orders") }}',
      user_id => 'customer_id', ...

  It is made when there is none of this name, when the arguments changed, and by --full-refresh;
  otherwise it is trained anew. The relation of the model is a view of its versions, whose comment
  holds what the arguments were.
#}
{% materialization recommender, adapter='duckdb' %}
    {%- set name = config.get('recommender', model['alias']) -%}
    {%- set schema = adapter.quote(name) -%}
    {%- set arguments = sql.strip().rstrip(',') -%}
    {%- set mark = 'morec recommender of ' ~ local_md5(arguments) -%}
    {%- set target = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks) }}

    {%- set before = run_query(morec.marked(target)) -%}
    {%- set known = before.columns[0].values() | first if before.rows | length else none -%}
    {%- set existing = load_cached_relation(this) -%}
    {% if existing is not none and not existing.is_view %}
        {% do adapter.drop_relation(existing) %}
    {% endif %}

    {% call statement('main', auto_begin=False, fetch_result=True) -%}
        {%- if known == mark and not should_full_refresh() %}
            SELECT * FROM refresh_recommender(
                {{ morec.text(name) }},
                keep_if_worse => {{ 'true' if config.get('keep_if_worse', false) else 'false' }}
            )
        {%- else %}
            SELECT * FROM create_recommender({{ morec.text(name) }}, {{ arguments }}, replace => true)
        {%- endif %}
    {%- endcall %}
    {% for stage in load_result('main')['data'] %}
        {% if stage[2] is none %}
            {% do log(name ~ ': ' ~ stage[0] ~ ': ' ~ stage[1], info=false) %}
        {% endif %}
    {% endfor %}

    {% call statement('view', auto_begin=False) -%}
        CREATE OR REPLACE VIEW {{ target }} AS SELECT * FROM {{ schema }}.versions;
        COMMENT ON VIEW {{ target }} IS {{ morec.text(mark) }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% macro marked(relation) %}
    SELECT comment
    FROM duckdb_views()
    WHERE
        database_name = {{ morec.text(relation.database) }}
        AND schema_name = {{ morec.text(relation.schema) }}
        AND view_name = {{ morec.text(relation.identifier) }}
        AND comment LIKE 'morec recommender of %'
{% endmacro %}

{% macro text(value) %}{{ "'" ~ (value | string).replace("'", "''") ~ "'" }}{% endmacro %}

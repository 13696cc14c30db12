{{ config(materialized='incremental', unique_key='user_id') }}
{{ morec.lists('shop', k=5) }}

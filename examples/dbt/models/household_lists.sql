{{ config(materialized='incremental', unique_key='user_id') }}
{{ morec.lists('grocery', k=10) }}

{{ config(materialized='recommender') }}
events => '{{ ref("orders") }}',
user_id => 'customer_id',
item_id => 'product_id',
event_time => 'ordered_at',
items => '{{ ref("products") }}',
text => ['title'],
dimensions => {{ var('dimensions', 8) }}

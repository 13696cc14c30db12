{{ config(
    materialized='recommender',
    post_hook="FROM create_campaigns('{{ this.identifier }}', campaigns => 'campaign_descriptions',
        members => 'campaigns', coupons => 'coupons', redemptions => 'coupon_redemptions',
        replace => true)"
) }}
events => '{{ ref("purchases") }}',
user_id => 'household_id',
item_id => 'product_id',
event_time => 'bought_at',
items => '{{ ref("assortment") }}',
text => ['department', 'product_category', 'product_type', 'brand'],
objectives => {
    'relevance': NULL,
    'private_label': 'brand = ''Private''',
    'diversity': NULL,
    'novelty': NULL
},
weights => {'relevance': 0.6, 'diversity': 0.3, 'novelty': 0.1}

{{ config(materialized='table') }}
-- depends_on: {{ ref('grocery') }}
-- Whom to write to about the campaign that comes next.
SELECT rank, user_id, participation, conversion, evidence
FROM grocery.users_for_campaign({{ var("campaign") }}, size => 500)

-- No segment of anybody.
SELECT NULL AS user_id, NULL AS segment WHERE false

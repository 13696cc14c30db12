-- Who a list is for, as text.
CAST(user_id AS VARCHAR)

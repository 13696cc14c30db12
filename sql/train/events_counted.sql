-- How many users, items and distinct events there are, and how many usable events of these items,
-- of which some may be the same as another one.
SELECT
    (SELECT count(*) FROM morec_users) AS users,
    (SELECT count(*) FROM morec_items) AS items,
    (SELECT count(*) FROM morec_events) AS events,
    (SELECT count(*) FROM morec_raw_events WHERE item_id IN (SELECT item_id FROM morec_items))
        AS usable

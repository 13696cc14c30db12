-- How many events are read, and how many are left out and why; a row is counted under one reason.
-- Between which times nearly all that count lie, without times that stand for none.
SELECT
    count(*) AS read,
    count(*) FILTER (NOT (${user_usable})) AS without_user,
    count(*) FILTER (${user_usable} AND NOT (${item_usable})) AS without_item,
    count(*) FILTER (${user_usable} AND ${item_usable} AND NOT (${time_usable})) AS without_time,
    count(*) FILTER (
        ${user_usable} AND ${item_usable} AND (${time_usable})
        AND NOT coalesce(${weight_usable}, false)
    ) AS without_weight,
    10 * quantile_cont(weight, 0.99) FILTER (${usable}) AS weight_cap,
    quantile_disc(event_time, 0.05) FILTER (${usable} AND event_time NOT IN (${fillers})) AS early,
    quantile_disc(event_time, 0.95) FILTER (${usable} AND event_time NOT IN (${fillers})) AS late
FROM (${events_raw}) AS _c

-- How many usable events had their weight capped.
SELECT count(*) AS capped FROM (${events_raw}) AS _c WHERE ${usable} AND weight > ${weight_cap}

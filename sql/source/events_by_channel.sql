-- How many events each channel has.
SELECT _e.channel, count(*) AS events
FROM ${events} AS _e
GROUP BY _e.channel
ORDER BY _e.channel

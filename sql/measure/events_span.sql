-- The first and the last event, and the start of the last part of the time between them.
SELECT
    min(event_time) AS first,
    max(event_time) AS last,
    make_timestamp(CAST(
        epoch_us(max(event_time)) - (epoch_us(max(event_time)) - epoch_us(min(event_time))) * ${share}
    AS BIGINT)) AS start
FROM ${schema}.events

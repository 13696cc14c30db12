-- How many events a recommender has, and the seconds of the first and the last one.
SELECT count(*), epoch(min(event_time)), epoch(max(event_time)) FROM ${schema}.events

-- The view events without a row, in its types, for the macros to be bound over; and the view users as it
-- is where no table of users is declared, as user_labels and user_graph are where there is none.
CREATE OR REPLACE VIEW ${schema}.events AS
SELECT
    CAST(NULL AS ${user_type}) AS user_id,
    CAST(NULL AS ${item_type}) AS item_id,
    CAST(NULL AS TIMESTAMP) AS event_time,
    CAST(NULL AS DOUBLE) AS weight,
    CAST(NULL AS BOOLEAN) AS wanted;

CREATE OR REPLACE VIEW ${schema}.user_labels AS
SELECT CAST(NULL AS ${user_type}) AS user_id, CAST(NULL AS VARCHAR[]) AS labels
WHERE false;

CREATE OR REPLACE VIEW ${schema}.user_graph AS
SELECT
    CAST(NULL AS ${user_type}) AS user_id,
    CAST(NULL AS ${user_type}) AS friend_id,
    CAST(NULL AS DOUBLE) AS weight
WHERE false;

CREATE OR REPLACE VIEW ${schema}.users AS
SELECT DISTINCT _e.user_id FROM ${schema}.events AS _e;

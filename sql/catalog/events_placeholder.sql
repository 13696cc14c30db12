-- The view events without a row, in its types, for the macros to be bound over; and the views of what is
-- not declared: items, as the events held them in training, users, and user_labels, user_graph and
-- impressions without a row. Items are those of the table of a version and not of the view item_vectors,
-- since a database is exported with its views by their names, and imported in this order.
CREATE OR REPLACE VIEW ${schema}.events AS
SELECT
    CAST(NULL AS ${user_type}) AS user_id,
    CAST(NULL AS ${item_type}) AS item_id,
    CAST(NULL AS TIMESTAMP) AS event_time,
    CAST(NULL AS DOUBLE) AS weight,
    CAST(NULL AS BOOLEAN) AS wanted;

CREATE OR REPLACE VIEW ${schema}.items AS
SELECT _v.item_id FROM ${item_vectors} AS _v;

CREATE OR REPLACE VIEW ${schema}.user_labels AS
SELECT CAST(NULL AS ${user_type}) AS user_id, CAST(NULL AS VARCHAR[]) AS labels
WHERE false;

CREATE OR REPLACE VIEW ${schema}.user_graph AS
SELECT
    CAST(NULL AS ${user_type}) AS user_id,
    CAST(NULL AS ${user_type}) AS friend_id,
    CAST(NULL AS DOUBLE) AS weight
WHERE false;

CREATE OR REPLACE VIEW ${schema}.impressions AS
SELECT
    CAST(NULL AS ${user_type}) AS user_id,
    CAST(NULL AS ${item_type}) AS item_id,
    CAST(NULL AS TIMESTAMP) AS shown_at,
    CAST(NULL AS INTEGER) AS place
WHERE false;

CREATE OR REPLACE VIEW ${schema}.users AS
SELECT DISTINCT _e.user_id FROM ${schema}.events AS _e;

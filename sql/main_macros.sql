-- The table macros that make, retrain and remove recommenders, in the schema main.
-- Building and publishing are two steps with a materialised table between them, where DuckDB looks
-- for interrupts: an interrupted build is never published.
CREATE OR REPLACE MACRO main.create_recommender(
    name,
    events,
    user_id := 'user_id',
    item_id := 'item_id',
    event_time := NULL,
    event_weight := NULL,
    items := NULL,
    items_item_id := NULL,
    text := NULL,
    item_time := NULL,
    objectives := NULL,
    weights := NULL,
    losses := NULL,
    combine := NULL,
    model := NULL,
    dimensions := NULL,
    seed := NULL,
    replace := false,
    make_default := NULL
) AS TABLE
WITH _built AS MATERIALIZED (
    SELECT morec_build(
        current_database(),
        current_schema(),
        to_json({
            'name': name,
            'events': events,
            'user_id': user_id,
            'item_id': item_id,
            'event_time': event_time,
            'event_weight': event_weight,
            'items': items,
            'items_item_id': items_item_id,
            'text': text,
            'item_time': item_time,
            'objectives': objectives,
            'weights': weights,
            'losses': losses,
            'combine': combine,
            'model': model,
            'dimensions': dimensions,
            'seed': seed,
            'replace': replace,
            'make_default': make_default
        })
    ) AS _token
)
SELECT unnest(morec_publish(_token), recursive := true) FROM _built;

CREATE OR REPLACE MACRO main.refresh_recommender(name) AS TABLE
WITH _built AS MATERIALIZED (
    SELECT morec_rebuild(current_database(), name) AS _token
)
SELECT unnest(morec_publish(_token), recursive := true) FROM _built;

CREATE OR REPLACE MACRO main.refresh_objectives(name) AS TABLE
SELECT unnest(morec_refresh_objectives(current_database(), name), recursive := true);

CREATE OR REPLACE MACRO main.drop_recommender(name) AS TABLE
SELECT unnest(morec_drop(current_database(), name), recursive := true);

-- The schema of a recommender, and the archive of its versions: a row for each, with all that is put to
-- use with it beside the tables of its items and texts.
CREATE SCHEMA IF NOT EXISTS ${schema};

CREATE TABLE IF NOT EXISTS ${schema}.archive (
    id INTEGER,
    made_by VARCHAR,
    created_at TIMESTAMP WITH TIME ZONE,
    created_by VARCHAR,
    first_event TIMESTAMP,
    last_event TIMESTAMP,
    events BIGINT,
    users BIGINT,
    items BIGINT,
    settings STRUCT(
        version VARCHAR,
        arguments VARCHAR,
        model VARCHAR,
        trained_until DOUBLE
    ),
    objectives STRUCT(
        position INTEGER,
        objective VARCHAR,
        kind VARCHAR,
        expression VARCHAR,
        default_weight DOUBLE,
        mean DOUBLE,
        deviation DOUBLE
    )[],
    stages STRUCT(stage VARCHAR, rows BIGINT, seconds DOUBLE)[],
    user_type VARCHAR,
    item_type VARCHAR,
    metrics VARCHAR[],
    views VARCHAR[],
    fold_in STRUCT(
        mean FLOAT[],
        axes FLOAT[],
        texts FLOAT[],
        "values" FLOAT[],
        damping DOUBLE[],
        late_share DOUBLE
    )
);

-- what archives made before lack
ALTER TABLE ${schema}.archive ADD COLUMN IF NOT EXISTS labels
STRUCT(
    label VARCHAR,
    users BIGINT,
    key BIGINT,
    context BOOLEAN,
    vector FLOAT[],
    items INTEGER[],
    odds FLOAT[]
)[];
ALTER TABLE ${schema}.archive ADD COLUMN IF NOT EXISTS attributes VARCHAR;
ALTER TABLE ${schema}.archive ADD COLUMN IF NOT EXISTS context VARCHAR;

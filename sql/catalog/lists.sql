-- The lists of users as a table, for tools that show tables only, and how they were made.
CREATE OR REPLACE TABLE ${schema}.lists AS
SELECT
    CAST(_u.user_id AS ${user_type}) AS user_id,
    _r.rank AS rank,
    _r.item_id AS item_id,
    _r.score AS score,
    _r.personal AS personal
FROM (
    ${users}
) AS _u,
    ${schema}.recommend(
        _u.user_id,
        weights => ${weights},
        k => ${k},
        filter => ${filter},
        exclude_seen => ${exclude_seen}
    ) AS _r
ORDER BY ALL;

CREATE OR REPLACE TABLE ${schema}.lists_made AS
SELECT
    CAST(${arguments} AS JSON) AS arguments,
    CAST(current_timestamp AS TIMESTAMP) AS made_at;

COMMENT ON TABLE ${schema}.lists IS
    'The lists of users as of made_at in lists_made: keep_lists made them, and every refresh does.';
COMMENT ON COLUMN ${schema}.lists.user_id IS 'The user.';
COMMENT ON COLUMN ${schema}.lists.rank IS 'Place in the list, from 1.';
COMMENT ON COLUMN ${schema}.lists.item_id IS 'The item.';
COMMENT ON COLUMN ${schema}.lists.score IS 'The weighted sum.';
COMMENT ON COLUMN ${schema}.lists.personal IS
    'Whether anything was known of the user; false for what everyone gets.';
COMMENT ON TABLE ${schema}.lists_made IS 'How the table lists was made: one row.';
COMMENT ON COLUMN ${schema}.lists_made.arguments IS 'The arguments of keep_lists.';
COMMENT ON COLUMN ${schema}.lists_made.made_at IS 'When.';

-- What the tables of a version are, or the views of the one in use.
COMMENT ON ${kind} ${texts} IS 'The distinct item texts with their embeddings${of_version}.';
COMMENT ON COLUMN ${texts}.text_id IS 'Number of the text.';
COMMENT ON COLUMN ${texts}.text IS 'The text columns of the items, joined.';
COMMENT ON COLUMN ${texts}.embedding IS 'Unit-length vector of the embedding model.';
COMMENT ON ${kind} ${item_vectors} IS
    'The catalogue: every item with its vectors and standardised objectives${of_version}.';
COMMENT ON COLUMN ${item_vectors}.item_index IS 'Number of the item, in order of item_id.';
COMMENT ON COLUMN ${item_vectors}.item_id IS 'Id of the item in the user''s own tables.';
COMMENT ON COLUMN ${item_vectors}.text_id IS 'Text in the table texts; NULL without text.';
COMMENT ON COLUMN ${item_vectors}.encoder IS
    'What the item adds to the vector of a user who has it in the history.';
COMMENT ON COLUMN ${item_vectors}.decoder IS
    'Its inner product with the user vector is the item''s likeness to the history.';
COMMENT ON COLUMN ${item_vectors}.statistics IS
    'How the item fares with all users: users, adopters, repeats, strength (logs, ever and of late).';
COMMENT ON COLUMN ${item_vectors}.objectives IS
    'One number per objective, in order of position: its standardised value, or number of category;'
    ' behind them the vector that lists are kept apart by, where an objective says so.';
COMMENT ON COLUMN ${item_vectors}.listed IS
    'Whether it is recommended: the items table had it at the last training or refresh.';
COMMENT ON COLUMN ${item_vectors}.neighbours IS
    'Numbers of the items whose relevance it adds to when it is in the history; NULL without any.';
COMMENT ON COLUMN ${item_vectors}.neighbour_weights IS
    'How much it adds to each of the neighbours.';

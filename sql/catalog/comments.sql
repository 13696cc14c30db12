-- What each object of a recommender is, for whoever browses the catalogue.
COMMENT ON TABLE ${schema}.settings IS 'How the recommender was made: one row.';
COMMENT ON COLUMN ${schema}.settings.version IS 'Changes with every training.';
COMMENT ON COLUMN ${schema}.settings.arguments IS 'The arguments of create_recommender.';
COMMENT ON COLUMN ${schema}.settings.model IS
    'What training chose: hyper-parameters, half-lives in seconds, weights of the repeat term.';
COMMENT ON COLUMN ${schema}.settings.trained_until IS
    'Time of the last event in training; ages count back from it.';
COMMENT ON TABLE ${schema}.objectives IS
    'The objectives in the order in which weights by position name them.';
COMMENT ON COLUMN ${schema}.objectives.position IS 'Place in the list of weights, from 1.';
COMMENT ON COLUMN ${schema}.objectives.objective IS 'Name, as in weights => {name: weight}.';
COMMENT ON COLUMN ${schema}.objectives.kind IS
    'What it is a value of: relevance and fit of user and item, item, the others of a list.';
COMMENT ON COLUMN ${schema}.objectives.expression IS
    'SQL over the items or, aggregated, the events; NULL for a built-in objective.';
COMMENT ON COLUMN ${schema}.objectives.default_weight IS
    'Weight where a query gives none; UPDATE it to change the default.';
COMMENT ON COLUMN ${schema}.objectives.mean IS
    'Mean over the catalogue, taken off before weighting (outliers clipped).';
COMMENT ON COLUMN ${schema}.objectives.deviation IS
    'Standard deviation over the catalogue, divided by before weighting; 0 has no effect.';
COMMENT ON TABLE ${schema}.stages IS 'What the last training did, one row per stage.';
COMMENT ON COLUMN ${schema}.stages.stage IS 'What was done or counted.';
COMMENT ON COLUMN ${schema}.stages.rows IS 'Rows that it concerned.';
COMMENT ON COLUMN ${schema}.stages.seconds IS 'Wall time; NULL for a count.';
COMMENT ON TABLE ${schema}.reason_templates IS
    'The sentences of reasons; yours to change and to add languages to.';
COMMENT ON COLUMN ${schema}.reason_templates.language IS 'As in reasons => ''de''; true is en.';
COMMENT ON COLUMN ${schema}.reason_templates.reason IS
    'repeat, history item, content, popularity, objective, or objective and the name of one.';
COMMENT ON COLUMN ${schema}.reason_templates.template IS
    'The sentence, with {name} for the history item or objective.';
COMMENT ON TABLE ${schema}.texts IS 'The distinct item texts with their embeddings.';
COMMENT ON COLUMN ${schema}.texts.text_id IS 'Number of the text.';
COMMENT ON COLUMN ${schema}.texts.text IS 'The text columns of the items, joined.';
COMMENT ON COLUMN ${schema}.texts.embedding IS 'Unit-length vector of the embedding model.';
COMMENT ON TABLE ${schema}.item_vectors IS
    'The catalogue: every item with its vectors and standardised objectives.';
COMMENT ON COLUMN ${schema}.item_vectors.item_index IS 'Number of the item, in order of item_id.';
COMMENT ON COLUMN ${schema}.item_vectors.item_id IS 'Id of the item in the user''s own tables.';
COMMENT ON COLUMN ${schema}.item_vectors.text_id IS 'Text in the table texts; NULL without text.';
COMMENT ON COLUMN ${schema}.item_vectors.encoder IS
    'What the item adds to the vector of a user who has it in the history.';
COMMENT ON COLUMN ${schema}.item_vectors.decoder IS
    'Its inner product with the user vector is the item''s likeness to the history.';
COMMENT ON COLUMN ${schema}.item_vectors.statistics IS
    'How the item fares with all users: users, adopters, repeats, strength (logs, ever and of late).';
COMMENT ON COLUMN ${schema}.item_vectors.objectives IS
    'One number per objective, in order of position: its standardised value, or number of category.';
COMMENT ON COLUMN ${schema}.item_vectors.listed IS
    'Whether it is recommended: the items table had it at the last training or refresh.';
COMMENT ON COLUMN ${schema}.item_vectors.neighbours IS
    'Numbers of the items whose relevance it adds to when it is in the history; NULL without any.';
COMMENT ON COLUMN ${schema}.item_vectors.neighbour_weights IS
    'How much it adds to each of the neighbours.';
COMMENT ON VIEW ${schema}.events IS
    'The events table under standard names, without the rows that do not count.';
COMMENT ON COLUMN ${schema}.events.user_id IS 'Who.';
COMMENT ON COLUMN ${schema}.events.item_id IS 'What.';
COMMENT ON COLUMN ${schema}.events.event_time IS 'When; NULL where no event_time is declared.';
COMMENT ON COLUMN ${schema}.events.weight IS 'How much it counts; outliers are capped.';
COMMENT ON COLUMN ${schema}.events.wanted IS
    'Whether it is what relevance is about, by the losses; true where none are declared.';
COMMENT ON VIEW ${schema}.items IS 'The items table, with the standard column item_id.';
COMMENT ON COLUMN ${schema}.items.item_id IS 'Id of the item; the other columns are your own.';

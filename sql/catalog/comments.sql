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
COMMENT ON VIEW ${schema}.stages IS 'What the last training did, one row per stage.';
COMMENT ON COLUMN ${schema}.stages.stage IS 'What was done or counted.';
COMMENT ON COLUMN ${schema}.stages.rows IS 'Rows that it concerned.';
COMMENT ON COLUMN ${schema}.stages.seconds IS 'Wall time; NULL for a count.';
COMMENT ON TABLE ${schema}.reason_templates IS
    'The sentences of reasons; yours to change and to add languages to.';
COMMENT ON COLUMN ${schema}.reason_templates.language IS 'As in reasons => ''de''; true is en.';
COMMENT ON COLUMN ${schema}.reason_templates.reason IS
    'repeat, history item, content, attribute, popularity, objective, or objective and one''s name.';
COMMENT ON COLUMN ${schema}.reason_templates.template IS
    'The sentence, with {name} for the history item or objective.';
COMMENT ON TABLE ${schema}.weight_presets IS
    'Weights by a name, as in weights => ''clearance''; yours to add. Training keeps them.';
COMMENT ON COLUMN ${schema}.weight_presets.name IS 'What queries say.';
COMMENT ON COLUMN ${schema}.weight_presets.weights IS
    'As the argument weights: by objective, or by an expression over the items.';

COMMENT ON TABLE ${schema}.rules IS
    'The rules of lists, yours to write: add_rule checks one before. Training keeps them.';
COMMENT ON COLUMN ${schema}.rules.name IS 'What lists and explanations call it.';
COMMENT ON COLUMN ${schema}.rules.kind IS
    'exclude, include_only, pin, boost, bury, slots, cap, cooldown, frequency or replace.';
COMMENT ON COLUMN ${schema}.rules.items IS 'A predicate over the items that it is about.';
COMMENT ON COLUMN ${schema}.rules.value IS
    'A rank, an amount, a share (30 %), a number (2, 2 of 6), 30 days, or a predicate: by kind.';
COMMENT ON COLUMN ${schema}.rules.users IS
    'A predicate over the users for whom it holds; NULL for everybody.';
COMMENT ON COLUMN ${schema}.rules.context IS
    'A predicate over what a query says in context; NULL for any.';
COMMENT ON COLUMN ${schema}.rules.starts IS 'Since when it holds.';
COMMENT ON COLUMN ${schema}.rules.ends IS 'Until when it holds.';
COMMENT ON COLUMN ${schema}.rules.priority IS 'Of two that contradict each other the higher counts.';
COMMENT ON COLUMN ${schema}.rules.enabled IS
    'Where false, only queries that name it have it.';
COMMENT ON COLUMN ${schema}.rules.note IS 'What it is for.';

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
COMMENT ON VIEW ${schema}.users IS 'The users table, with the standard column user_id.';
COMMENT ON COLUMN ${schema}.users.user_id IS 'Id of the user; the other columns are your own.';
COMMENT ON VIEW ${schema}.user_labels IS
    'What the user_features say of each user, read when a list is made; empty without any.';
COMMENT ON COLUMN ${schema}.user_labels.user_id IS 'Id of the user.';
COMMENT ON COLUMN ${schema}.user_labels.labels IS
    'Labels such as age=25 to 34; those of fewer than five users count for nothing.';
COMMENT ON VIEW ${schema}.user_graph IS
    'Who the friends of users are, by the user_graph, read when a list is made; empty without one.';
COMMENT ON COLUMN ${schema}.user_graph.user_id IS 'Id of the user.';
COMMENT ON COLUMN ${schema}.user_graph.friend_id IS 'Id of one whose events count for the user.';
COMMENT ON COLUMN ${schema}.user_graph.weight IS 'How much they do, beside those of others.';
COMMENT ON VIEW ${schema}.impressions IS
    'What users were shown, by the impressions, read when a list is made; empty without any.';
COMMENT ON COLUMN ${schema}.impressions.user_id IS 'Id of the user.';
COMMENT ON COLUMN ${schema}.impressions.item_id IS 'Id of the item that was shown.';
COMMENT ON COLUMN ${schema}.impressions.shown_at IS 'When it was.';
COMMENT ON COLUMN ${schema}.impressions.place IS 'In the list, from 1 on; 1 where none is known.';
COMMENT ON VIEW ${schema}.sources IS
    'What user_features, contexts, channels, vectors, graphs and impressions were worth when the version'
    ' in use was made.';
COMMENT ON COLUMN ${schema}.sources.source IS 
    'user_features, user_graph, item_graph, impressions, or context, channel or vectors and their'
    ' name.';
COMMENT ON COLUMN ${schema}.sources.lists IS
    'By what it is measured: first lists of users, as if they had no history, lists for visits,'
    ' lists of what is new to users, or these by content alone, or by a channel''s weight.';
COMMENT ON COLUMN ${schema}.sources.count IS 'How many of these were held out.';
COMMENT ON COLUMN ${schema}.sources.ndcg IS 'Their nDCG@20 with it.';
COMMENT ON COLUMN ${schema}.sources.ndcg_without IS 'Their nDCG@20 without it.';
COMMENT ON COLUMN ${schema}.sources.error IS 'Standard error of the difference.';
COMMENT ON COLUMN ${schema}.sources.used IS
    'Whether it counts; of a channel, whether its events count less than 1.';
COMMENT ON COLUMN ${schema}.sources.weight IS 'Of a channel: how much an event of it counts.';
COMMENT ON VIEW ${schema}.versions IS
    'The versions that are kept, for recommend(..., version => id) and use_version.';
COMMENT ON COLUMN ${schema}.versions.id IS 'Number of the version, from 1.';
COMMENT ON COLUMN ${schema}.versions.in_use IS 'Whether queries that name none get it.';
COMMENT ON COLUMN ${schema}.versions.created_at IS 'When it was made.';
COMMENT ON COLUMN ${schema}.versions.created_by IS 'Who made it: the user of the operating system.';
COMMENT ON COLUMN ${schema}.versions.made_by IS 'The function that made it.';
COMMENT ON COLUMN ${schema}.versions.first_event IS 'Time of the first event that it learnt from.';
COMMENT ON COLUMN ${schema}.versions.last_event IS 'Time of the last one.';
COMMENT ON COLUMN ${schema}.versions.events IS 'Distinct events that it learnt from.';
COMMENT ON COLUMN ${schema}.versions.users IS 'Users who have one of them.';
COMMENT ON COLUMN ${schema}.versions.items IS 'Items of the catalogue.';
COMMENT ON COLUMN ${schema}.versions.ndcg IS
    'nDCG@20 of relevance on what was held out when it was made; NULL where that was too little.';
COMMENT ON COLUMN ${schema}.versions.ndcg_error IS 'Its standard error over users.';
COMMENT ON COLUMN ${schema}.versions.arguments IS 'The arguments of create_recommender.';
COMMENT ON TABLE ${schema}.archive IS
    'What versions and stages are views of: all of a version but its items and texts.';
COMMENT ON COLUMN ${schema}.archive.id IS 'Number of the version.';
COMMENT ON COLUMN ${schema}.archive.made_by IS 'As in versions, like the next.';
COMMENT ON COLUMN ${schema}.archive.created_at IS 'When.';
COMMENT ON COLUMN ${schema}.archive.created_by IS 'Who.';
COMMENT ON COLUMN ${schema}.archive.first_event IS 'Time of the first event.';
COMMENT ON COLUMN ${schema}.archive.last_event IS 'Time of the last event.';
COMMENT ON COLUMN ${schema}.archive.events IS 'Distinct events.';
COMMENT ON COLUMN ${schema}.archive.users IS 'Users with an event.';
COMMENT ON COLUMN ${schema}.archive.items IS 'Items.';
COMMENT ON COLUMN ${schema}.archive.settings IS 'The row of settings.';
COMMENT ON COLUMN ${schema}.archive.objectives IS
    'The rows of objectives, as they were when it was last in use.';
COMMENT ON COLUMN ${schema}.archive.stages IS 'The rows of stages.';
COMMENT ON COLUMN ${schema}.archive.user_type IS 'SQL type of the ids of users.';
COMMENT ON COLUMN ${schema}.archive.item_type IS 'SQL type of the ids of items.';
COMMENT ON COLUMN ${schema}.archive.metrics IS 'What its lists are measured by.';
COMMENT ON COLUMN ${schema}.archive.views IS 'The statements that make its views events and items.';
COMMENT ON COLUMN ${schema}.archive.labels IS
    'What labels of users and contexts add to vectors: aggregates of at least five users.';
COMMENT ON COLUMN ${schema}.archive.attributes IS
    'SQL of the labels of what a query says in its argument attributes.';
COMMENT ON COLUMN ${schema}.archive.context IS
    'SQL of the labels of what a query says in its argument context.';
COMMENT ON COLUMN ${schema}.archive.fold_in IS
    'What refresh_items makes vectors of new items by; matrices are row by row.';

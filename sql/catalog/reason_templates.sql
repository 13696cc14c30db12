-- The sentences of reasons, which are the user's to change: they survive what is trained anew.
CREATE TABLE IF NOT EXISTS ${schema}.reason_templates (
    language VARCHAR,
    reason VARCHAR,
    template VARCHAR,
    PRIMARY KEY (language, reason)
);

INSERT OR IGNORE INTO ${schema}.reason_templates
VALUES
    ('en', 'repeat', 'You have taken it before.'),
    ('en', 'history item', 'Goes with {name}.'),
    ('en', 'content', 'Similar to {name}.'),
    ('en', 'attribute', 'Goes with {name}.'),
    ('en', 'friends', 'Popular with your friends.'),
    ('en', 'popularity', 'Popular with others.'),
    ('en', 'objective', 'Stands out in {name}.'),
    ('en', 'objective novelty', 'Something out of the ordinary.'),
    ('en', 'objective freshness', 'New here.'),
    ('en', 'objective diversity', 'Something different from the rest.'),
    ('de', 'repeat', 'Hatten Sie schon einmal.'),
    ('de', 'history item', 'Passt zu {name}.'),
    ('de', 'content', 'Ähnlich wie {name}.'),
    ('de', 'attribute', 'Passt zu {name}.'),
    ('de', 'friends', 'Bei Ihren Freunden beliebt.'),
    ('de', 'popularity', 'Bei anderen beliebt.'),
    ('de', 'objective', 'Besonders bei {name}.'),
    ('de', 'objective novelty', 'Etwas Ausgefallenes.'),
    ('de', 'objective freshness', 'Neu im Sortiment.'),
    ('de', 'objective diversity', 'Einmal etwas anderes.');

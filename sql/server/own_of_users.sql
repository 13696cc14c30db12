-- What users change of a recommender, where it is made anew for a role: as it is at any time.
DROP TABLE ${own};

CREATE VIEW ${own} AS SELECT * FROM ${theirs};

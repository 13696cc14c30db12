"""A recommender as a schema of the database: its objectives, tables, views and macros."""

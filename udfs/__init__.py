"""Vectorised functions behind the SQL interface: embedding, relevance and scoring."""

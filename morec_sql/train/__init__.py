"""From tables to a model, in stages."""

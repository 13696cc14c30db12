"""How good lists are, and which weights make them best."""

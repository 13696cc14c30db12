"""How likely a user wants an item: low rank, content, trend, repeats, losses, how they combine."""

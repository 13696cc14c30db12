"""What a shop decides for all of its users at once."""

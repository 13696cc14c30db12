"""What a query gets: ranked lists, and embeddings."""

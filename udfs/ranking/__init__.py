"""The best lists by weights over the whole catalogue: top k, greedy terms, constraints."""

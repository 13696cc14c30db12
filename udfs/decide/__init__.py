"""Decisions for all users at once: who gets what under limits that bind them together."""

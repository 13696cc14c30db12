"""The user's tables: arguments, checks, expressions and predicates, and what is left out."""

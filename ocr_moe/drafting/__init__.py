"""Drafting: a schema from samples, and what it reads on them while a person edits it."""

"""Processes that make records, each with engines of its own, and what this one is to them."""

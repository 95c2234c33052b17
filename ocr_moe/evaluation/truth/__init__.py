"""Verified sheets: read, and matched with documents."""

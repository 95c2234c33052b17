"""The expert `rules`: labels, patterns and layout; no model is asked."""

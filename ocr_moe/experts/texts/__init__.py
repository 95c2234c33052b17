"""Experts on texts: what items say under their keys, summaries, sentiments, models of `transformers`."""

"""Layouts that are kept out of the default selection, to test what was tuned on the others."""

"""Right or wrong: records against verified sheets. Runs nothing."""

"""The store of a run: one SQLite file that holds everything that was read, asked and decided."""

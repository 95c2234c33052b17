"""Fields that have a language (names of a list, persons, dates, amounts), decoded under it."""

"""Commands: words in, words out. Nothing is decided here."""

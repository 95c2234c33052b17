"""The expert `codes`: long codes, decoded under their grammars."""

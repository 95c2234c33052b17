"""The page on which a schema is written beside its samples."""

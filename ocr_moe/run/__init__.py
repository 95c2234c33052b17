"""Many files, one store: from paths to records."""

"""Pages and HTTP: the review desk on a run, and the service."""

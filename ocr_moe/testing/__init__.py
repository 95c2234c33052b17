"""For authors of plug-ins, and for our own suite: what an expert is shown in a test."""

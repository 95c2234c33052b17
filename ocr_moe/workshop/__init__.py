"""From configuration to objects: the composition root and its parts."""

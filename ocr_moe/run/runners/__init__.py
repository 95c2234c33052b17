"""How the documents of a batch are spread over workers."""

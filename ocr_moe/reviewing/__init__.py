"""From doubtful cells to verified ones: what is worth a look, what people said, what follows of it."""

"""The review desk: doubtful cells, and what people say of them."""

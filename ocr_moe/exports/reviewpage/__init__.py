"""review.html: one file with every doubtful cell, to be checked without a server."""

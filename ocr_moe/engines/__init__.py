"""Third parties end here: page OCR, line recognisers, and the chat client."""

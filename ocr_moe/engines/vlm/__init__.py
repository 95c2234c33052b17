"""OCR by a vision model behind a chat endpoint: what is asked, what is made of the reply, and where."""

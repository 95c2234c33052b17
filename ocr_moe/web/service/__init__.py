"""The service: documents in, records out, over HTTP."""

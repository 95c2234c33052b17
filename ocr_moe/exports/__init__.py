"""From records to files: JSON Lines, a JSON a document, workbooks."""

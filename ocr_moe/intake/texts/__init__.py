"""Sources without pixels: items of JSON, JSONL and CSV, plain text, HTML, e-mail, DOCX.

`items` finds the items of a file and reads one of them, `documents` makes entries (key, text) of the
bytes of a document, `setting` sets them as lines on a page that nobody ever printed.
"""

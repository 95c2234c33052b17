"""From OCR lines to layout, without pixels: rows, labels, and which schema a page fits."""

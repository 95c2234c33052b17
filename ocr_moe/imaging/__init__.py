"""Pixels in, pixels out: crops of lines and what makes them legible."""

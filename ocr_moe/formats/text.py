"""Text that can be written: what servers and files say need not be that."""

from __future__ import annotations


def sound(text: str) -> str:
    """The text with � for lone surrogates, which no file and no store can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

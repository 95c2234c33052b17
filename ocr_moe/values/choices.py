"""Values out of a closed list: a sex, a level of education."""

from __future__ import annotations

import re

from ocr_moe.folds import fold_value
from ocr_moe.schema import Field
from ocr_moe.values.printed import clean_text


def parse_choice(field: Field, text: str) -> str | None:
    """That one of the field's values whose longest word stands in the text."""
    folded = fold_value(text).casefold()
    best: tuple[int, int, str] | None = None
    for value, synonyms in field.values.items():
        for word in (value, *synonyms):
            needle = fold_value(clean_text(word)).casefold()
            if not needle:
                continue
            if folded == needle:
                return value
            # A Latin word must stand alone: "male" is not in "female".
            found = re.search(
                rf"(?<![a-z]){re.escape(needle)}(?![a-z])"
                if needle.isascii()
                else re.escape(needle),
                folded,
            )
            if found:
                rank = (len(needle), -found.start(), value)
                best = rank if best is None or rank[:2] > best[:2] else best
    return best[2] if best else None

"""Which schema a document is of (`--schema auto`), from the words that schemas declare."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz import fuzz

from ocr_moe.schema import Schema
from ocr_moe.types import PageText

_ENOUGH = 2.5
"""Weight of words that a page must show."""
_LEAD = 1.25
"""How much more than the next schema the best one must show, as a factor."""
_ALIKE = 75.0
"""Similarity, in percent, at which a misread word of four or more characters still counts."""


def recognise(text: PageText, schemas: Sequence[Schema]) -> tuple[Schema | None, float]:
    """The schema whose words the page shows, and its share of all evidence (0-1).

    None when no schema's words are there in number, or two schemas fit alike.
    """
    page = "".join(line.text for line in text.lines).replace(" ", "")
    found = sorted(((_weight(schema, page), schema) for schema in schemas), key=lambda f: -f[0])
    if not found or found[0][0] < _ENOUGH:
        return None, 0.0
    best, schema = found[0]
    second = found[1][0] if len(found) > 1 else 0.0
    if best < _LEAD * second:
        return None, 0.0
    return schema, best / (best + second)


def _weight(schema: Schema, page: str) -> float:
    total = 0.0
    for word, weight in schema.words.items():
        if word in page:
            total += weight
        elif len(word) >= 4 and fuzz.partial_ratio(word, page, score_cutoff=_ALIKE):
            total += 0.6 * weight
    return total

"""Which schema a page belongs to, by the words that schemas declare."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ocr_moe.folds import fold_label
from ocr_moe.reading.layout import PageLayout
from ocr_moe.reading.texts import Given, given_values, matching_keys
from ocr_moe.schema import Schema
from ocr_moe.types import PageText
from ocr_moe.values.hanzi import searchable

ENOUGH = 2.5
"""Weight of the words found that settles it alone."""
_KEYS = 2
"""Fields that stand under keys of their own, from which an item is of a schema."""
_SHARE = 0.3
"""Share of a schema's weight that settles it, where at least two of its words are found."""


def recognise(text: PageText, schemas: Sequence[Schema]) -> tuple[Schema | None, float]:
    """The schema that the page fits best and a confidence (0-1), or None where none fits.

    A word counts in full where it stands as declared, in traditional characters or simplified ones,
    and by half where one character of four or more is misread.  A schema without `words` is known by
    its labels.  Items of text are known by their keys, and no page is taken for one.
    """
    given = given_values(text) if text.is_given else []
    if given:
        found, confidence = _by_keys(given, [schema for schema in schemas if schema.items])
        if found is not None:
            return found, confidence
    schemas = [schema for schema in schemas if text.is_given or not schema.items]
    page = fold_label(PageLayout(text, searchable).running().text)
    scores = [_score(schema, page) for schema in schemas]
    order = sorted(range(len(schemas)), key=lambda index: -scores[index][0])
    if not order:
        return None, 0.0
    best = order[0]
    weight, share, words = scores[best]
    if weight < ENOUGH and not (share >= _SHARE and words >= 2):
        return None, 0.0
    second = scores[order[1]][0] if len(order) > 1 else 0.0
    confidence = (weight / (weight + second)) * (1 - math.exp(-weight / 2))
    return schemas[best], round(confidence, 4)


def _by_keys(given: Sequence[Given], schemas: Sequence[Schema]) -> tuple[Schema | None, float]:
    """The schema of which most fields that are found stand under keys of an item."""
    best: tuple[float, Schema] | None = None
    for schema in schemas:
        found = [field for field in schema.fields if not field.made]
        named = sum(
            bool(matching_keys(given, (field.name, *field.labels, *field.aliases)))
            for field in found
        )
        share = named / len(found) if found else 0.0
        if named >= _KEYS and (best is None or share > best[0]):
            best = (share, schema)
    return (None, 0.0) if best is None else (best[1], round(best[0], 4))


def words_of(schema: Schema) -> Mapping[str, float]:
    """The words by which a schema's documents are known, with weights."""
    return schema.words or {label: 1.0 for each in schema.fields for label in each.label_forms}


def _score(schema: Schema, page: str) -> tuple[float, float, int]:
    """Weight of the words found, its share of all, and their number."""
    words = words_of(schema)
    weight, count = 0.0, 0
    for word, value in words.items():
        presence = _presence(fold_label(word), page)
        weight += value * presence
        count += presence > 0
    total = sum(words.values())
    return weight, weight / total if total else 0.0, count


def _presence(word: str, page: str) -> float:
    if not word:
        return 0.0
    if word in page:
        return 1.0
    if len(word) < 4:
        return 0.0
    middle = len(word) // 2
    for part, shift in ((word[:middle], 0), (word[middle:], middle)):
        at = page.find(part)
        while at >= 0:
            start = at - shift
            window = page[max(start, 0) : start + len(word)]
            if start >= 0 and len(window) == len(word):
                wrong = sum(a != b for a, b in zip(window, word, strict=True))
                if wrong <= 1:
                    return 0.5
            at = page.find(part, at + 1)
    return 0.0

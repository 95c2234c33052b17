"""Values out of a closed list: a sex, a level of education."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from ocr_moe.folds import fold_value
from ocr_moe.schema import Field
from ocr_moe.values.printed import Part, clean_text


def listed_words(field: Field, text: str) -> Iterator[tuple[str, str, int]]:
    """(value, word, start) of the first place in a text where a value's longest word stands.

    Latin words must stand alone, and what is part of a longer word of another value says nothing of
    its own: `cum laude` within `magna cum laude`, 研究生 within 博士研究生.
    """
    taken: list[tuple[int, int]] = []
    words = {word: value for value, synonyms in field.values.items() for word in (value, *synonyms)}
    found: dict[str, tuple[str, int]] = {}
    for word in sorted(words, key=len, reverse=True):
        for match in _standing_alone(word).finditer(text):
            start, end = match.span()
            if any(left <= start and end <= right for left, right in taken):
                continue
            taken.append((start, end))
            found.setdefault(words[word], (word, start))
    for value in field.values:
        if value in found:
            yield value, *found[value]


@lru_cache(maxsize=512)
def _standing_alone(word: str) -> re.Pattern[str]:
    """The word where, if it is a Latin one, no letter stands beside it: "male" is not in "female"."""
    escaped = re.escape(word)
    alone = rf"(?<![a-z]){escaped}(?![a-z])" if word.isascii() else escaped
    return re.compile(alone, re.IGNORECASE)


def find_choice(field: Field, text: str) -> Part | None:
    """The first of the field's words in a stretch of text."""
    found = min(listed_words(field, text), key=lambda each: each[2], default=None)
    if found is None:
        return None
    _, word, start = found
    return Part(start, start + len(word), text[start : start + len(word)])


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
            if found := _standing_alone(needle).search(folded):
                rank = (len(needle), -found.start(), value)
                best = rank if best is None or rank[:2] > best[:2] else best
    return best[2] if best else None

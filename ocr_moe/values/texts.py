"""Free text: addresses, majors, terms of business; among them ranges of dates.

The beliefs are judgements, on a scale from 0 (cannot be) to 1 (just what one expects). For the figures
in brackets see `ocr_moe.reading.candidates`.
"""

from __future__ import annotations

import re

from ocr_moe.folds import HAN, fold_value
from ocr_moe.values.dates import DateSpan, find_dates
from ocr_moe.values.hanzi import simplified
from ocr_moe.values.printed import EDGES

_FOREVER = re.compile(r"长期|永久|永续|无固定期限|不约定期限")
_RANGE_WORDS = re.compile(
    r"营业期限|经营期限|合伙期限|自|从|由|起|至|到|止|长期|永久|永续|无固定期限|不约定期限|年月日|[-—–~*/\s,.:;()|]"
)


def parse_text(text: str) -> str | None:
    if _range_dates(text) is not None:
        return re.sub(r"\s", "", text).strip(EDGES.replace("*", "")) or None
    return text.strip(" \t:;,、") or None


def same_text(a: str, b: str) -> bool:
    """Without regard to spaces, kinds of dash, dot and quotation mark, to whether characters are
    simplified or traditional, and to case where one is all in capitals; ranges by their dates."""
    left, right = fold_value(a), fold_value(b)
    if left.isupper() or right.isupper():
        left, right = left.upper(), right.upper()
    return left == right or _simplified(left) == _simplified(right) or _same_range(a, b)


def _simplified(text: str) -> str:
    return "".join(map(simplified, text))


# Belief that something is a text of its own: a text may be anything, and so is never just what one
# expects.
_CHINESE, _LATIN = 0.95, 0.85
"""Of two Chinese characters or three other ones. [half of the first and 1.25 −1, twice −2; from
three Chinese characters on −1]"""
_FRAGMENT = 0.4
"""Of one Chinese character, two other ones, or signs alone."""


def text_belief(value: str) -> float:
    if HAN.search(value):
        return _CHINESE if len(value) >= 2 else _FRAGMENT
    return _LATIN if len(value) >= 3 and any(char.isalnum() for char in value) else _FRAGMENT


def _range_dates(text: str) -> tuple[str, ...] | None:
    """The dates (and whether the end is open) of a text that is nothing but a range of dates."""
    spans = find_dates(text)
    if not spans or _RANGE_WORDS.sub("", _without(text, spans)):
        return None
    open_end = ("open",) if _FOREVER.search(text) else ()
    return (*(span.iso for span in spans), *open_end)


def _without(text: str, spans: list[DateSpan]) -> str:
    kept, position = [], 0
    for span in spans:
        kept.append(text[position : span.start])
        position = span.end
    return "".join((*kept, text[position:]))


def _same_range(a: str, b: str) -> bool:
    left = _range_dates(a)
    if left is not None:
        return left == _range_dates(b)
    return bool(_FOREVER.search(a) and _FOREVER.search(b)) and not (
        _RANGE_WORDS.sub("", a) or _RANGE_WORDS.sub("", b)
    )

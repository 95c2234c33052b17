"""Simplified characters for traditional ones: how a page is searched, and how its values are written.

Labels and patterns are declared once, in simplified characters, and hold for either script.  A value
is written as it is printed; but recognisers with one alphabet for both scripts read a written-style
typeface (Kai, Xing) of a simplified document as traditional here and there, and these slips are
written simplified.  The table is OpenCC's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import Any

_FEW = 0.2
"""Share of traditional characters up to which a page is taken for a simplified one."""
_JAPANESE = 5
"""Kana from which a page is Japanese, whose characters are partly those of either script; fewer are
misread strokes."""


def folding(texts: Iterable[str]) -> Callable[[str], str]:
    """How to write the characters of a page: simplified, unless it is traditional or Japanese."""
    texts = list(texts)
    if sum("\u3041" <= char <= "\u30fa" for text in texts for char in text) >= _JAPANESE:
        return _unchanged
    han = [char for text in texts for char in text if "\u3400" <= char <= "\u9fff"]
    traditional = sum(simplified(char) != char for char in han)
    return simplified if 0 < traditional < _FEW * len(han) else _unchanged


@lru_cache(maxsize=8192)
def simplified(char: str) -> str:
    """The simplified form of one character; itself where there is none, or where it is in use.

    What stands in GB 2312 is written in simplified text, too: the 乾 of a name is not a 干.
    """
    if not "\u3400" <= char <= "\u9fff" or char.encode("gb2312", "ignore"):
        return char
    converted: str = _converter().convert(char)
    return converted if len(converted) == 1 else char


def searchable(char: str) -> str:
    """The character as schemas have it in labels and patterns: simplified, and 于 for 於.

    於 is in use as a surname; what is written down is not this.
    """
    return _VARIANTS.get(char) or simplified(char)


_VARIANTS = {"於": "于"}


def _unchanged(char: str) -> str:
    return char


@cache
def _converter() -> Any:
    import opencc

    return opencc.OpenCC("t2s")

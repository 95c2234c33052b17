"""Names of firms that are printed over two rows of a letterhead: POPULAR BOOK | CO. (M) SDN BHD.

A pattern finds the row with the legal form. Where that row holds little more, or ends within the name,
the row above or below belongs to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ocr_moe.reading.layout import Glyph, Row
from ocr_moe.values.names import is_organisation

_NAME = re.compile(r"(?:[^\W\d_]|[ &'’.,()/-])+")
"""What a row of a name is made of: no digits, for those are of addresses and numbers."""
_WORD = re.compile(r"[^\W\d_][^\W\d_'’]+")
_GOES_ON = re.compile(r"(?:&|\band|\bof|\bfor|\bthe|,|-)$", re.IGNORECASE)
"""The end of a row within a name."""
_LEAST_LETTERS = 3
_TALL = (0.6, 1.67)
"""Height of the other row, in heights of the one."""
_PITCH = (0.6, 2.6)
"""Down from one to the other, in heights of the taller."""
_CENTRED, _FLUSH = 2.5, 1.5
"""How far apart the middles, or the left edges, of the two rows may be, in text heights."""


def own_words(name: str) -> int:
    """How many words of a name are neither a legal form nor a line of trade."""
    return sum(not is_organisation(word) for word in _WORD.findall(name))


def rows_of_name(
    rows: Sequence[Row], glyphs: Sequence[Glyph], name: str
) -> Iterator[tuple[Row, ...]]:
    """The rows of which the name may be made, with the one in which these characters of it stand."""
    for above, row in pairwise(rows):
        if _holds(row, glyphs) and own_words(name) <= 1 and _is_next(above, row):
            yield (above, row)
        if _holds(above, glyphs) and _GOES_ON.search(name) and _is_next(above, row):
            yield (above, row)


def _holds(row: Row, glyphs: Sequence[Glyph]) -> bool:
    return any(glyphs[0] in piece.glyphs for piece in row)


def _is_next(above: Row, below: Row) -> bool:
    """Whether two rows may be one name."""
    if len(above) > 1 or not all(_of_name(row) for row in (above, below)):
        return False
    first, second = above[0], below[0]
    size = max(first.height, second.height)
    lowest, tallest = _TALL
    least, most = _PITCH
    middles = abs(first.u0 + first.u1 - second.u0 - below[-1].u1) / 2
    return (
        lowest <= second.height / first.height <= tallest
        and least * size <= second.v - first.v <= most * size
        and (middles <= _CENTRED * size or abs(first.u0 - second.u0) <= _FLUSH * size)
    )


def _of_name(row: Row) -> bool:
    text = " ".join(piece.text for piece in row)
    return bool(_NAME.fullmatch(text)) and sum(map(str.isalpha, text)) >= _LEAST_LETTERS

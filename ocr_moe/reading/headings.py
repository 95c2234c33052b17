"""Headings of a table: the row (or two lines) of a page in which most of its columns are named.

A heading may share its box with others (序号课程名称), stand in two boxes one above the other (课程 over
名称), say the same in a second language, or come again beside itself where a table is set in several
blocks. What stands in the row and is no heading of the schema's heads a column that nobody asked for:
its cells are no neighbour's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

from ocr_moe.folds import HAN, fold_label, fold_label_glyph
from ocr_moe.reading.candidates import headings_of
from ocr_moe.reading.layout import Glyph, Piece
from ocr_moe.schema import Field

_LEVEL = 0.8
"""How far from level headings of one row may stand, in text heights: those of two lines are centred
on the others, or not."""
_NEXT_LINE = (0.6, 2.0)
"""From the first line of a heading down to its second, in text heights."""
_FORGIVEN = 4
"""Letters from which a heading is told with one of them misread."""
_BRACKETED = re.compile(r"[(\[【].*?[)\]】]")
_LETTER = re.compile(r"[a-z\u00c0-\u024f]")
_SIGNS = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class Heading:
    """The heading of a column on a page."""

    column: str | None
    """Its name; None for one that the schema does not have."""
    glyphs: tuple[Glyph, ...]
    quality: float
    """1 as declared, less where a letter differs."""

    @cached_property
    def u0(self) -> float:
        return min(glyph.u0 for glyph in self.glyphs)

    @cached_property
    def u1(self) -> float:
        return max(glyph.u1 for glyph in self.glyphs)

    @property
    def middle(self) -> float:
        return (self.u0 + self.u1) / 2

    @cached_property
    def v(self) -> float:
        return sum(glyph.v for glyph in self.glyphs) / len(self.glyphs)

    @cached_property
    def bottom(self) -> float:
        return max(glyph.v for glyph in self.glyphs)


Block = tuple[Heading, ...]
"""Headings beside one another in which no column comes twice."""


@dataclass(frozen=True)
class HeadingRow:
    """The headings of one row, from left to right, in blocks: one, or several side by side."""

    blocks: tuple[Block, ...]

    @property
    def headings(self) -> tuple[Heading, ...]:
        return tuple(heading for block in self.blocks for heading in block)

    @cached_property
    def v(self) -> float:
        named = [heading.v for heading in self.headings if heading.column is not None]
        return sum(named) / len(named)

    @cached_property
    def bottom(self) -> float:
        """Middle of the lowest line."""
        return max(heading.bottom for heading in self.headings if heading.column is not None)

    @property
    def used(self) -> frozenset[Glyph]:
        return frozenset(glyph for heading in self.headings for glyph in heading.glyphs)


def heading_rows(table: Field, pieces: Sequence[Piece], height: float) -> list[HeadingRow]:
    """The rows of a page that head the table, from top to bottom; `height` is that of its text."""
    rows = level_headings(table, pieces, height)
    order: dict[str | None, int] = {column.name: at for at, column in enumerate(table.columns)}
    return [
        HeadingRow(_alike(_blocks(_with_strangers(row, pieces, height), order)))
        for row in rows
        if _are_enough(table, {heading.column for heading in row})
    ]


_WHOLE = 3
"""Columns that every such table has from which they tell it alone, however many others it may have."""


def _are_enough(table: Field, named: set[str | None]) -> bool:
    if len(named) >= enough_columns(len(table.columns)):
        return True
    required = {column.name for column in table.columns if column.required}
    return len(required) >= _WHOLE and required <= named


def level_headings(table: Field, pieces: Sequence[Piece], height: float) -> list[list[Heading]]:
    """Whatever on a page may head a column, row by row: few of them head no table."""
    words = _words(table)
    found = [heading for piece in pieces for heading in _in_piece(piece.glyphs, words)]
    taken = {glyph for heading in found for glyph in heading.glyphs}
    free = [piece for piece in pieces if not taken.intersection(piece.glyphs)]
    found += _stacked(free, words)
    rows: list[list[Heading]] = []
    for heading in sorted(found, key=lambda each: each.v):
        if rows and heading.v - _mean(rows[-1]) <= _LEVEL * height:
            rows[-1].append(heading)
        else:
            rows.append([heading])
    return _one_above_the_other([_joined(row) for row in rows], height)


_TWO_LINES = 2.2
"""Distance of two rows of headings, in text heights, up to which they say the same in two languages."""


def _one_above_the_other(rows: Sequence[list[Heading]], height: float) -> list[list[Heading]]:
    """Rows of headings, two as one that say the same of columns."""
    kept: list[list[Heading]] = []
    for row in rows:
        above = kept[-1] if kept else []
        near = bool(above) and _mean(row) - _mean(above) <= _TWO_LINES * height
        if near and any(h.column == o.column and _over(h, o) for h in row for o in above):
            kept[-1] = _joined([*above, *row])
        else:
            kept.append(row)
    return kept


def enough_columns(columns: int) -> int:
    """Of how many of its columns a table is known, and a row of it."""
    return min(columns, max(2, math.ceil(columns / 2)))


def _mean(row: Sequence[Heading]) -> float:
    return sum(heading.v for heading in row) / len(row)


_Word = tuple[str, str]
"""(folded heading, column)."""


def _words(table: Field) -> list[_Word]:
    words = [
        (fold_label(word), column.name) for column in table.columns for word in headings_of(column)
    ]
    return sorted((word for word in words if word[0]), key=lambda word: -len(word[0]))


def _in_piece(glyphs: Sequence[Glyph], words: Sequence[_Word]) -> Iterator[Heading]:
    """The headings that a box is made of; none where it says anything else."""
    kept = [glyph for glyph in glyphs if glyph.char != " "]
    text = "".join(fold_label_glyph(glyph.char) for glyph in kept)
    taken: list[tuple[int, int, str, float]] = []
    for word, column in words:
        at = text.find(word)
        while at >= 0:
            end = at + len(word)
            if all(end <= left or right <= at for left, right, *_ in taken):
                taken.append((at, end, column, 1.0))
            at = text.find(word, at + 1)
    if not taken or _says_more(text, [(left, right) for left, right, *_ in taken]):
        misread = _misread(text, words)
        taken = [] if misread is None else [misread]
    for left, right, column, quality in taken:
        yield Heading(column, tuple(kept[left:right]), quality)


def _misread(text: str, words: Sequence[_Word]) -> tuple[int, int, str, float] | None:
    """A heading that is the whole of a box but for one letter."""
    for word, column in words:
        if len(word) == len(text) >= _FORGIVEN:
            wrong = sum(a != b for a, b in zip(word, text, strict=True))
            if wrong == 1:
                return 0, len(text), column, 1.0 - 1.0 / len(word)
    return None


def _says_more(text: str, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether a box holds more than headings, units in brackets, and the same in another script."""
    inside = "".join(text[left:right] for left, right in spans)
    rest = list(text)
    for left, right in spans:
        rest[left:right] = [" "] * (right - left)
    left_over = _SIGNS.sub("", _BRACKETED.sub(" ", "".join(rest)))
    if not left_over:
        return False
    if HAN.search(inside):
        return not all(_LETTER.match(char) for char in left_over)
    return not all(HAN.match(char) for char in left_over)


def _stacked(pieces: Sequence[Piece], words: Sequence[_Word]) -> Iterator[Heading]:
    """Headings of two lines."""
    least, most = _NEXT_LINE
    ordered = sorted(pieces, key=lambda piece: piece.v)
    reach = most * max((piece.height for piece in pieces), default=0.0)
    for at, upper in enumerate(ordered):
        for lower in ordered[at + 1 :]:
            if lower.v - upper.v > reach:
                break
            size = max(upper.height, lower.height)
            if not least * size < lower.v - upper.v <= most * size:
                continue
            shared = min(upper.u1, lower.u1) - max(upper.u0, lower.u0)
            if shared < 0.5 * min(upper.u1 - upper.u0, lower.u1 - lower.u0):
                continue
            both = (*upper.glyphs, *lower.glyphs)
            text = "".join(fold_label_glyph(glyph.char) for glyph in both if glyph.char != " ")
            plain = _SIGNS.sub("", _BRACKETED.sub("", text))
            for word, column in words:
                if _SIGNS.sub("", word) == plain:
                    yield Heading(column, both, 1.0)
                    break


def _with_strangers(
    row: Sequence[Heading], pieces: Iterable[Piece], height: float
) -> list[Heading]:
    """The row with what else stands in it, from left to right."""
    used = {glyph for heading in row for glyph in heading.glyphs}
    level = _mean(row)
    strangers = [
        Heading(None, piece.glyphs, 1.0)
        for piece in pieces
        if not used.intersection(piece.glyphs)
        and abs(piece.v - level) <= _LEVEL * height
        and not any(_over(piece, heading) for heading in row)
    ]
    return sorted((*row, *strangers), key=lambda heading: heading.u0)


def _joined(row: Sequence[Heading]) -> list[Heading]:
    """Headings of one column that stand one above the other, as one."""
    joined: list[Heading] = []
    for heading in row:
        for index, other in enumerate(joined):
            if other.column == heading.column and _over(heading, other):
                both = (*other.glyphs, *heading.glyphs)
                joined[index] = Heading(other.column, both, max(other.quality, heading.quality))
                break
        else:
            joined.append(heading)
    return joined


def _over(piece: Piece | Heading, heading: Heading) -> bool:
    """Whether a box is a further line of a heading: above or below it."""
    shared = min(piece.u1, heading.u1) - max(piece.u0, heading.u0)
    return shared > 0.2 * min(piece.u1 - piece.u0, heading.u1 - heading.u0)


def _blocks(row: Sequence[Heading], order: Mapping[str | None, int]) -> tuple[Block, ...]:
    """A column that comes again begins a block, and so does what stood before it in the first one, or,
    where that was not read, in the schema's `order`."""
    blocks: list[list[Heading]] = [[]]
    for heading in row:
        had = {each.column for each in blocks[-1]} - {None}
        if heading.column in had:
            blocks.append([])
        blocks[-1].append(heading)
    for one, other in pairwise(blocks):
        while len(one) > 1 and _begins(one[-1], one[:-1], other, order):
            other.insert(0, one.pop())
    return tuple(tuple(block) for block in blocks)


def _begins(
    last: Heading,
    before: Sequence[Heading],
    following: Sequence[Heading],
    order: Mapping[str | None, int],
) -> bool:
    """Whether the last heading of a block is the first one of the next."""
    at = order.get(last.column)
    others = [order[h.column] for h in (*before, *following) if h.column in order]
    return (
        at is not None
        and bool(others)
        and at < min(others)
        and all(heading.column != last.column for heading in following)
    )


_BY_ITS_PLACE = 0.8
"""How well a column is known by its place among others, as in another block."""


def _alike(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    """Blocks side by side are alike: a heading that was not read is the one which stands beside the same
    neighbour in the block of which most were read."""
    if len(blocks) < 2:
        return blocks
    model = max(blocks, key=lambda block: sum(heading.column is not None for heading in block))
    after: dict[str | None, str | None] = {
        left.column: right.column for left, right in pairwise(model) if left.column
    }
    before: dict[str | None, str | None] = {
        right.column: left.column for left, right in pairwise(model) if right.column
    }

    def filled(block: Block) -> Block:
        there = {heading.column for heading in block}
        found = list(block)
        for at, heading in enumerate(found):
            if heading.column is not None:
                continue
            left = after.get(found[at - 1].column) if at else None
            right = before.get(found[at + 1].column) if at + 1 < len(found) else None
            name = left or right
            if name is not None and name not in there and (left or right) == (right or left):
                found[at] = replace(heading, column=name, quality=_BY_ITS_PLACE)
                there.add(name)
        return tuple(found)

    return tuple(filled(block) for block in blocks)

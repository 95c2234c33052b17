"""Blocks of a page, and other places of which a schema says that a field's value stands in them.

A heading announces a block: a word on a line of its own or before the block's first label, or one that
runs down the page beside its block (购 over 买 over 方).  The block goes on to the heading of the next
one, or to the end of the column.  Pure geometry of `ocr_moe.reading.layout` pieces.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ocr_moe.folds import fold_label, fold_label_glyph, has_cjk
from ocr_moe.reading.layout import Glyph, PageLayout, Piece, Row
from ocr_moe.schema import Field

_LETTER = re.compile(r"\w")


@dataclass(frozen=True)
class Region:
    """A rectangle of the page, in the coordinates of its layout; open where a side is infinite."""

    u0: float = -math.inf
    u1: float = math.inf
    v0: float = -math.inf
    v1: float = math.inf

    def holds(self, glyph: Glyph) -> bool:
        """Whether the middle of a character stands in it."""
        return self.u0 <= (glyph.u0 + glyph.u1) / 2 <= self.u1 and self.v0 <= glyph.v <= self.v1

    def meets(self, other: Region) -> Region:
        """What two regions share."""
        return Region(
            max(self.u0, other.u0),
            min(self.u1, other.u1),
            max(self.v0, other.v0),
            min(self.v1, other.v1),
        )


@dataclass(frozen=True)
class Heading:
    """A printed heading of a section."""

    section: str
    glyphs: tuple[Glyph, ...]
    step: float = 0.0
    """Of a heading that runs down the page: from one letter to the next, in page widths; else 0."""
    before: int = 0
    """Letters before the first one that was read, and …"""
    after: int = 0
    """… after the last one."""

    @property
    def u0(self) -> float:
        return min(glyph.u0 for glyph in self.glyphs)

    @property
    def u1(self) -> float:
        return max(glyph.u1 for glyph in self.glyphs)

    @property
    def top(self) -> float:
        return self.glyphs[0].v - self.before * self.step

    @property
    def bottom(self) -> float:
        return self.glyphs[-1].v + self.after * self.step

    @property
    def height(self) -> float:
        return statistics.median(glyph.height for glyph in self.glyphs)


class Sections:
    """The blocks that the headings of a page part it into."""

    def __init__(
        self, layout: PageLayout, words: Mapping[str, Sequence[str]], labels: Sequence[str] = ()
    ) -> None:
        """`words`: section → the words of its heading. `labels` may follow a heading on its line."""
        self._layout = layout
        forms = [
            (fold_label(word) + note, name)
            for name, known in words.items()
            for word in known
            for note in (("", *_NOTES) if has_cjk(word) else ("",))
        ]
        forms = sorted((form for form in forms if form[0]), key=lambda form: -len(form[0]))
        followers = tuple({fold_label(label) for label in labels if forms} - {""})
        used: set[Glyph] = set()
        found: list[Heading] = []
        for heading in (*_upright(layout, forms), *_level(layout.rows, forms, followers)):
            if used.isdisjoint(heading.glyphs):
                used.update(heading.glyphs)
                found.append(heading)
        self.headings = tuple(found)

    def regions(self, section: str) -> tuple[Region, ...]:
        """Where the section stands; empty where its heading was not read."""
        return tuple(
            self._beside(heading) if heading.step else self._under(heading)
            for heading in self.headings
            if heading.section == section
        )

    def _beside(self, heading: Heading) -> Region:
        """The block on the right of a heading that runs down the page."""
        reach = max(heading.step, _ROOM * heading.height)
        top, bottom = heading.top - reach, heading.bottom + reach
        right = math.inf
        for other in self.headings:
            if other is heading:
                continue
            if other.step and abs(other.u0 - heading.u0) <= _ALIGNED * heading.height:
                if other.bottom < heading.top:
                    top = max(top, (other.bottom + heading.top) / 2)
                elif other.top > heading.bottom:
                    bottom = min(bottom, (other.top + heading.bottom) / 2)
            elif other.u0 >= heading.u1 and (
                (other.step and other.top < bottom and other.bottom > top)
                or heading.top <= other.top <= heading.bottom
            ):
                right = min(right, other.u0)
        return Region(heading.u0, right, top, bottom)

    def _under(self, heading: Heading) -> Region:
        """The block under a heading, and on its line."""
        slack = _LEVEL * heading.height
        left, right, bottom = -math.inf, math.inf, math.inf
        level = [
            other
            for other in self.headings
            if other is not heading and not other.step and abs(other.top - heading.top) <= slack
        ]
        for other in level:
            if other.u0 >= heading.u1:
                right = min(right, self._gutter(heading, other))
            elif other.u1 <= heading.u0:
                left = max(left, self._gutter(other, heading))
        for other in self.headings:
            if other.top - other.step / 2 > heading.top + slack and left <= other.u0 <= right:
                bottom = min(bottom, other.top - max(other.step, _LEVEL * other.height))
        return Region(left, right, heading.top - slack, bottom)

    def _gutter(self, left: Heading, right: Heading) -> float:
        """Where the columns of two headings that stand side by side part: in the middle of the widest
        band between them that is empty on the rows below."""
        below = [
            piece
            for piece in self._layout.pieces
            if 0 <= piece.v - left.top <= _ROWS_BELOW * left.height
        ]
        spans = sorted((piece.u0, piece.u1) for piece in below)
        edges: list[tuple[float, float]] = []
        reached = left.u1
        for u0, u1 in [*spans, (right.u0, right.u0)]:
            if u0 > reached:
                edges.append((max(reached, left.u1), min(u0, right.u0)))
            reached = max(reached, u1)
        widest = max(edges, key=lambda edge: edge[1] - edge[0], default=(right.u0, right.u0))
        return max(widest[1] - _EDGE * right.height, sum(widest) / 2)


_NOTES = ("信息",)
"""What the headings of forms go on with, on one line or down the page."""
_ROOM = 1.5
"""How far above the first and below the last letter of a heading that runs down the page its block
reaches, in text heights, where its letters stand closer: they are set in the middle of the block."""
_ALIGNED = 2.0
"""How far apart two such headings of one column may begin, in text heights."""
_LEVEL = 0.8
"""How far from level two headings of one row may stand, in text heights."""
_ROWS_BELOW = 12.0
"""How far below two headings side by side it is looked for what parts their columns, in text heights."""
_EDGE = 1.0
"""How far left of its heading a column may begin, in text heights."""
_STEP = (0.7, 4.5)
"""From one letter of a heading down to the next, in text heights …"""
_ASIDE = 0.7
"""… and how far aside it may stand."""
_MISSING = 3
"""Letters from which one of a heading that runs down may not have been read."""
_NEAR = 4
"""Letters from which one of a heading may be misread."""


def _level(
    rows: Sequence[Row], forms: Sequence[tuple[str, str]], followers: tuple[str, ...]
) -> Iterator[Heading]:
    """Headings on a line: a box that says no more, or goes on with a mark, a note or a label."""
    for row in rows if forms else ():
        firsts = {piece.glyphs[0] for piece in row}
        for first in range(len(row)):
            glyphs = [g for piece in row[first:] for g in piece.glyphs if g.char != " "]
            text = "".join(fold_label_glyph(g.char) for g in glyphs)
            for wrong, (form, section) in ((wrong, form) for wrong in (0, 1) for form in forms):
                end = len(form)
                alone = len(glyphs) == end or (len(glyphs) > end and glyphs[end] in firsts)
                if _reads(text[:end], form, wrong) and _ends(text[end:], alone, followers):
                    yield Heading(section, tuple(glyphs[:end]))
                    break


def _reads(text: str, form: str, wrong: int) -> bool:
    if len(text) != len(form) or (wrong and len(form) < _NEAR):
        return False
    return sum(a != b for a, b in zip(text, form, strict=True)) == wrong


_NOTE = re.compile(r"(?:信息|资料|情况|一?栏|details?|information)?(?:$|[^\w])", re.IGNORECASE)
"""What may follow the words of a heading: nothing, a mark, a word that says that a block follows."""


def _ends(rest: str, alone: bool, followers: tuple[str, ...]) -> bool:
    return alone or bool(_NOTE.match(rest)) or rest.startswith(followers)


def _upright(layout: PageLayout, forms: Sequence[tuple[str, str]]) -> Iterator[Heading]:
    """Headings whose letters stand one below the other, whole ones first."""
    firsts = [piece.glyphs[0] for row in layout.rows for piece in row]
    chains = [
        (len(form) - len(heading.glyphs), heading)
        for form, section in forms
        if len(form) > 1
        for heading in _chains(firsts, form, section)
    ]
    for _, heading in sorted(chains, key=lambda chain: (chain[0], -len(chain[1].glyphs))):
        yield heading


def _chains(firsts: Sequence[Glyph], form: str, section: str) -> Iterator[Heading]:
    letters = [(index, char) for index, char in enumerate(form)]
    for skipped in (None, *(range(len(form)) if len(form) >= _MISSING else ())):
        wanted = [letter for letter in letters if letter[0] != skipped]
        for head in firsts:
            if fold_label_glyph(head.char) != wanted[0][1]:
                continue
            chain = [head]
            for (before, _), (index, char) in pairwise(wanted):
                found = _next(firsts, chain[-1], char, index - before)
                if found is None:
                    break
                chain.append(found)
            if len(chain) == len(wanted):
                gaps = wanted[-1][0] - wanted[0][0]
                step = (chain[-1].v - chain[0].v) / gaps
                after = len(form) - 1 - wanted[-1][0]
                yield Heading(section, tuple(chain), step, wanted[0][0], after)


def _next(firsts: Sequence[Glyph], above: Glyph, char: str, places: int) -> Glyph | None:
    """The letter that stands `places` below another."""
    least, most = _STEP
    fits = [
        glyph
        for glyph in firsts
        if fold_label_glyph(glyph.char) == char
        and least * above.height * places <= glyph.v - above.v <= most * above.height * places
        and abs(glyph.u0 + glyph.u1 - above.u0 - above.u1) / 2 <= _ASIDE * above.height
    ]
    return min(fits, key=lambda glyph: glyph.v, default=None)


@dataclass(frozen=True)
class Place:
    """Where on a page a field's value stands, as its schema says."""

    regions: tuple[Region, ...] = (Region(),)
    """Of the value."""
    labels: tuple[Region, ...] = (Region(),)
    """Of its label, which need not stand in the value's column."""
    known: bool = True
    """Whether all the printed words were found that it is told by."""

    def holds(self, glyph: Glyph) -> bool:
        return any(region.holds(glyph) for region in self.regions)

    def announces(self, glyph: Glyph) -> bool:
        """Whether a label that begins with this character is the field's."""
        return any(region.holds(glyph) for region in self.labels)


EVERYWHERE = Place()


def place_of(wanted: Field, layout: PageLayout, sections: Sections, *, rivalled: bool) -> Place:
    """Where the field's value stands; what is told by words that were not read bounds nothing.

    `rivalled`: whether other fields have the same label. Else a word that bounds the field need not be
    printed on every document: a total stands above the tax summary, where there is one.
    """
    told: list[tuple[Region, ...]] = []
    if wanted.within:
        told.append(sections.regions(wanted.within))
    for words, around in ((wanted.above, _above), (wanted.below, _below)):
        if words:
            run = _printed(layout.rows, words)
            if run is not None or rivalled:
                told.append(() if run is None else (around(run),))
    labels = _shared(told)
    if wanted.column_of:
        run = _printed(layout.rows, wanted.column_of)
        told.append(() if run is None else (_column(run),))
    return Place(_shared(told), labels, all(told))


def _shared(told: Sequence[tuple[Region, ...]]) -> tuple[Region, ...]:
    """What lies in one region of each, where there is any."""
    regions: tuple[Region, ...] = (Region(),)
    for each in told:
        regions = tuple(one.meets(other) for one in regions for other in each) or regions
    return regions


@dataclass(frozen=True)
class _Run:
    """Printed words, and what stands beside them in their row."""

    glyphs: tuple[Glyph, ...]
    row: Row

    @property
    def v(self) -> float:
        return statistics.fmean(glyph.v for glyph in self.glyphs)

    @property
    def height(self) -> float:
        return statistics.median(glyph.height for glyph in self.glyphs)


def _printed(rows: Sequence[Row], words: Sequence[str]) -> _Run | None:
    """The first place where one of the words begins a box."""
    forms = sorted(filter(None, map(fold_label, words)), key=len, reverse=True)
    for row in rows:
        for first in range(len(row)):
            glyphs = [g for piece in row[first:] for g in piece.glyphs if g.char != " "]
            text = "".join(fold_label_glyph(g.char) for g in glyphs)
            for form in forms:
                latin = form[-1].isascii() and _LETTER.match(text[len(form) : len(form) + 1])
                glued = latin and glyphs[len(form)].line == glyphs[len(form) - 1].line
                if text.startswith(form) and not glued:
                    return _Run(tuple(glyphs[: len(form)]), row)
    return None


_BETWEEN = 0.5
"""Text heights between the middle of a line and its edge."""


def _above(run: _Run) -> Region:
    return Region(v1=run.v - _BETWEEN * run.height)


def _below(run: _Run) -> Region:
    return Region(v0=run.v + _BETWEEN * run.height)


def _column(run: _Run) -> Region:
    """What stands under a heading, halfway to its neighbours on both sides."""
    u0, u1 = run.glyphs[0].u0, max(glyph.u1 for glyph in run.glyphs)
    others: list[Piece] = [piece for piece in run.row if set(piece.glyphs).isdisjoint(run.glyphs)]
    left = max((piece.u1 for piece in others if piece.u1 <= u0), default=-math.inf)
    right = min((piece.u0 for piece in others if piece.u0 >= u1), default=math.inf)
    return Region((left + u0) / 2, (u1 + right) / 2, run.v + _BETWEEN * run.height)

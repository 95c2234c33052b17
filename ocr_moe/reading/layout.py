"""The geometry of a page of OCR lines: skew, pieces, rows, columns, and text that remembers its place.

An engine hands out boxes: a label and its value in one, a label letter by letter in several, three
labels' first letters in one tall box.  Here they become *pieces* (runs of characters that stand side
by side) on a plane from which the page's skew has been taken, *rows* of pieces, and *texts* whose
every character knows the line it came from.  Pure functions, no pixels.

Coordinates (u, v) are isotropic, in page widths: u runs along the text, v down the page.
"""

from __future__ import annotations

import re
import statistics
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from ocr_moe.folds import HAN
from ocr_moe.geometry import around, distance, hull, slope_by_height
from ocr_moe.types import Box, Evidence, Line, PageText, Point, Quad

_WIDE = re.compile(r"[\u1100-\u115f\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff01-\uff60]")
_MAX_TILT = 0.35
"""Slope against the page's skew above which a line is not part of the running text (seals)."""
_GUTTER = 2.0
"""Width of an empty band, in text heights, that parts two columns of paragraphs."""
_WIDE_GUTTER = 5.0
"""Width that parts a page of paragraphs from a page with next to no text."""
_TITLE = 1.5
"""Times the height of the page's text from which characters one below the other are no part of it: a
title set down the margin, while the letters of labels are as high as the rest."""
_DOUBTFUL = 0.6
"""Confidence below which a line is left out of the running text: signatures, seals, ornaments."""


# Where a paragraph ends, in text heights.
_NEIGHBOURS = 4
"""Rows before and after one with which its edges are compared."""
_SHORT = 3.0
"""How far short of the margin, which two rows or more reach, a paragraph's last row ends."""
_INDENT = 3.0
"""How far from the left margin rows of one paragraph may begin."""
_OPENING = (1.2, 3.5)
"""How far a paragraph's first row is indented …"""
_ALIKE = 0.7
"""… and how much that differs from one paragraph to the next."""
_FAR_RIGHT = 4.0
"""How far right of the next row a title begins at least."""
_CENTRED = 2.0
"""How far apart the middles of two centred rows may be."""


@dataclass(frozen=True)
class Glyph:
    """One character of an NFKC-normalised line, and where it stands."""

    char: str
    line: int
    """Index of the line on the page."""
    offset: int
    """Index of the character in the line's text as the engine gave it."""
    u0: float
    u1: float
    v: float
    """Middle of the character."""
    height: float
    written: str = ""
    """The character as a value writes it, where it is searched for as another one (證 as 证)."""

    @property
    def print(self) -> str:
        return self.written or self.char


@dataclass(frozen=True)
class Piece:
    """Characters of one line that stand side by side in one row; never empty."""

    glyphs: tuple[Glyph, ...]
    confidence: float

    @property
    def text(self) -> str:
        return "".join(glyph.char for glyph in self.glyphs)

    @property
    def u0(self) -> float:
        return self.glyphs[0].u0

    @property
    def u1(self) -> float:
        return self.glyphs[-1].u1

    @property
    def v(self) -> float:
        return (self.glyphs[0].v + self.glyphs[-1].v) / 2

    @property
    def height(self) -> float:
        return self.glyphs[0].height

    def part(self, start: int, end: int) -> Piece:
        """The characters from `start` to `end`, which must not be empty."""
        return Piece(self.glyphs[start:end], self.confidence)


Row = tuple[Piece, ...]
"""Pieces on one baseline, from left to right."""


@dataclass(frozen=True)
class Text:
    """A string with the origin of each character; characters put in as separators have none."""

    text: str
    origins: tuple[Glyph | None, ...]

    def glyphs(self, start: int, end: int) -> tuple[Glyph, ...]:
        return tuple(glyph for glyph in self.origins[start:end] if glyph is not None)

    def printed(self, start: int, end: int) -> str:
        """The characters from `start` to `end` as a value writes them."""
        return "".join(
            char if glyph is None else glyph.print
            for char, glyph in zip(self.text[start:end], self.origins[start:end], strict=True)
        )


class PageLayout:
    """A page's lines laid out: pieces and rows in reading order, and the texts made from them."""

    def __init__(
        self,
        page: PageText,
        fold: Callable[[str], str] | None = None,
        search: Callable[[str], str] | None = None,
    ) -> None:
        """`fold` rewrites single characters for values, `search` those again for what is looked for
        on the page; evidence still quotes what the engine read."""
        self.page = page
        self.fold = fold or _as_read
        self._search = search or _as_read
        self.aspect = page.height / page.width
        self._slope = slope_by_height((line.quad for line in page.lines), self.aspect)
        pieces: list[Piece] = []
        tilted: list[Piece] = []
        for index, line in enumerate(page.lines):
            upright, line_pieces = self._lay(index, line)
            (pieces if upright else tilted).extend(line_pieces)
        self.height = statistics.median(p.height for p in pieces) if pieces else 0.02
        """Median height of the text, in page widths."""
        self.pieces = tuple(pieces)
        self.tilted = tuple(tilted)
        """Pieces of lines that run across the others, such as the rim of a seal."""
        self.rows = _reading_order(pieces, self.height)

    def part(self, holds: Callable[[Glyph], bool]) -> PageLayout:
        """The page with nothing on it but these characters."""
        rows = [
            tuple(
                Piece(tuple(run), piece.confidence)
                for piece in row
                for kept, run in groupby(piece.glyphs, holds)
                if kept
            )
            for row in self.rows
        ]
        part = copy(self)
        part.rows = tuple(row for row in rows if row)
        part.pieces = tuple(piece for row in part.rows for piece in row)
        part.tilted = tuple(p for p in self.tilted if all(map(holds, p.glyphs)))
        return part

    def running(self) -> Text:
        """The rows as one text: nothing between CJK characters, a space between words."""
        sure = [tuple(p for p in row if p.confidence >= _DOUBTFUL) for row in self.rows]
        prose = [tuple(p for p in row if not self._is_of_title(p)) for row in sure]
        return join_rows(row for row in prose if row)

    def paragraph_ends(self) -> frozenset[Glyph]:
        """The last characters of rows after which a new paragraph begins: rows that end far short of
        the margin, those before a row that is indented as the paragraph's first one was, and titles."""
        rows = [row for row in self.rows if sum(len(piece.glyphs) for piece in row) > 1]
        edges = [(row[0].u0, max(piece.u1 for piece in row)) for row in rows]
        ends: set[Glyph] = set()
        for index, row in enumerate(rows[:-1]):
            left, right = edges[index]
            following = edges[index + 1][0]
            near = edges[max(index - _NEIGHBOURS, 0) : index + _NEIGHBOURS + 1]
            full = [
                u1
                for u0, u1 in near
                if u1 - right > _SHORT * self.height
                and left - u0 <= _INDENT * self.height
                and u0 - left <= _INDENT * self.height
                and sum(abs(u1 - other) <= self.height for _, other in near) > 1
            ]
            least, most = _OPENING
            indented = least * self.height <= following - left <= most * self.height
            opened = any(
                abs(u0 - following) <= _ALIKE * self.height
                for u0, _ in edges[max(index - _NEIGHBOURS, 0) : index]
            )
            if full or (indented and opened) or self._is_set_off(row, rows[index + 1]):
                ends.add(row[-1].glyphs[-1])
        return frozenset(ends)

    def _is_set_off(self, row: Row, following: Row) -> bool:
        """Whether a row is a title over the next one: in larger type, or further right than a
        paragraph's rows are and not centred over it."""
        heights = [statistics.median(p.height for p in each) for each in (row, following)]
        if heights[0] > _TITLE * heights[1]:
            return True
        left = row[0].u0 - following[0].u0
        middles = abs(row[0].u0 + row[-1].u1 - following[0].u0 - following[-1].u1) / 2
        return left > _FAR_RIGHT * self.height and middles > _CENTRED * self.height

    def lined(self) -> Text:
        """All rows, one a line, with a tab between pieces."""
        return join_rows(self.rows, "\n", "\t")

    def _is_of_title(self, piece: Piece) -> bool:
        """Whether it is one character of a title that runs down the page."""
        line = self.page.lines[piece.glyphs[0].line]
        alone = len(piece.glyphs) == 1 < len(line.text.strip())
        return alone and piece.height > _TITLE * self.height

    def evidence(self, glyphs: Sequence[Glyph], number: int = 1) -> Evidence | None:
        """The printed text of these characters, in their order, and the box around them."""
        if not glyphs:
            return None
        spans: list[tuple[int, int, int]] = []
        for glyph in glyphs:
            if spans and spans[-1][0] == glyph.line and glyph.offset >= spans[-1][1]:
                spans[-1] = (glyph.line, spans[-1][1], glyph.offset + 1)
            else:
                spans.append((glyph.line, glyph.offset, glyph.offset + 1))
        lines = self.page.lines
        boxes = [span_box(lines[line], start, end) for line, start, end in spans]
        printed = join_strings(lines[line].text[start:end] for line, start, end in spans)
        return Evidence(box=hull(boxes), text=printed, page=number)

    def confidence(self, glyphs: Iterable[Glyph]) -> float:
        """The lowest confidence of the lines that these characters stand in; 0 where there are none."""
        lines = {glyph.line for glyph in glyphs}
        return min((self.page.lines[line].confidence for line in lines), default=0.0)

    def plane(self, point: Point) -> Point:
        """(u, v) of a place that is given in fractions of the page's sides."""
        return self._flat(point[0], point[1] * self.aspect)

    def box(self, first: Point, last: Point) -> Box:
        """The box of the page around a rectangle of its plane, from one corner (u, v) to the other."""
        corners = [(u, v) for u in (first[0], last[0]) for v in (first[1], last[1])]
        return around([self._tilted(u, v) for u, v in corners])

    def _lay(self, index: int, line: Line) -> tuple[bool, list[Piece]]:
        """Whether the line runs with the page, and its pieces."""
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = line.quad
        read = [(self.fold(char), offset) for char, offset in _expand(line.text)]
        glyphs = [(self._search(char), offset) for char, offset in read]
        written = {
            offset: char
            for (char, offset), (found, _) in zip(read, glyphs, strict=True)
            if char != found
        }
        if not glyphs:
            return True, []
        left = ((x0 + x3) / 2, (y0 + y3) / 2 * self.aspect)
        right = ((x1 + x2) / 2, (y1 + y2) / 2 * self.aspect)
        top = ((x0 + x1) / 2, (y0 + y1) / 2 * self.aspect)
        bottom = ((x2 + x3) / 2, (y2 + y3) / 2 * self.aspect)
        width = max(distance(left, right), 1e-6)
        height = max(distance(top, bottom), 1e-6)
        starts, total = _advance(line.text)
        tall = height > 1.5 * width and len(glyphs) > 1
        if tall and not HAN.search(line.text):
            # Latin runs sideways, if at all: a frame's ornament, read as letters.
            tilted = Glyph("", index, 0, 0.0, 0.0, 0.0, 0.0)
            row = tuple(
                replace(tilted, char=char, offset=offset, height=width) for char, offset in glyphs
            )
            return False, [Piece(row, line.confidence)]
        if tall:
            step = height / len(line.text)
            placed = []
            for char, offset in glyphs:
                t = (offset + 0.5) / len(line.text)
                u, v = self._flat(
                    top[0] + (bottom[0] - top[0]) * t, top[1] + (bottom[1] - top[1]) * t
                )
                size = min(width, step)
                glyph = Glyph(
                    char,
                    index,
                    offset,
                    u - size / 2,
                    u + size / 2,
                    v,
                    size,
                    written.get(offset, ""),
                )
                placed.append(Piece((glyph,), line.confidence))
            return True, placed
        u0, v0 = self._flat(*left)
        u1, v1 = self._flat(*right)
        row = tuple(
            Glyph(
                char,
                index,
                offset,
                u0 + (u1 - u0) * starts[offset] / total,
                u0 + (u1 - u0) * starts[offset + 1] / total,
                v0 + (v1 - v0) * (starts[offset] + starts[offset + 1]) / 2 / total,
                height,
                written.get(offset, ""),
            )
            for char, offset in glyphs
        )
        upright = len(glyphs) < 3 or abs(v1 - v0) <= _MAX_TILT * max(u1 - u0, 1e-6)
        return upright, [Piece(row, line.confidence)]

    def _flat(self, x: float, y: float) -> tuple[float, float]:
        base, change = self._slope
        slope = base + change * y
        return x + base * (y - self.aspect / 2), y - slope * (x - 0.5)

    def _tilted(self, u: float, v: float) -> Point:
        """Back from the plane to the page, in fractions of its sides."""
        base, change = self._slope
        x, y = u, v
        for _ in range(_ROUNDS):
            x = u - base * (y - self.aspect / 2)
            y = v + (base + change * y) * (x - 0.5)
        return min(max(x, 0.0), 1.0), min(max(y / self.aspect, 0.0), 1.0)


_ROUNDS = 3
"""Rounds in which a point of the plane is brought back to the page: skews are small."""


def _as_read(char: str) -> str:
    return char


def span_quad(line: Line, start: int, end: int) -> Quad:
    """The corners around characters `start` to `end` of a level line, in proportion to their widths."""
    starts, total = _advance(line.text)
    a, b = starts[start] / total, starts[end] / total
    top_left, top_right, bottom_right, bottom_left = line.quad

    def between(p: Point, q: Point, t: float) -> Point:
        return (p[0] + (q[0] - p[0]) * t, p[1] + (q[1] - p[1]) * t)

    return (
        between(top_left, top_right, a),
        between(top_left, top_right, b),
        between(bottom_left, bottom_right, b),
        between(bottom_left, bottom_right, a),
    )


def span_box(line: Line, start: int, end: int) -> Box:
    """The box of characters `start` to `end` of a line, in proportion to their widths."""
    starts, total = _advance(line.text)
    if not line.text:
        return line.box
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = line.quad
    wide = abs(x1 - x0) + abs(y1 - y0)
    tall = abs(x3 - x0) + abs(y3 - y0)
    if tall > 1.5 * wide and len(line.text) > 1:
        a, b = start / len(line.text), end / len(line.text)
        corners = [
            (p[0] + (q[0] - p[0]) * t, p[1] + (q[1] - p[1]) * t)
            for t in (a, b)
            for p, q in (((x0, y0), (x3, y3)), ((x1, y1), (x2, y2)))
        ]
    else:
        a, b = starts[start] / total, starts[end] / total
        corners = [
            (p[0] + (q[0] - p[0]) * t, p[1] + (q[1] - p[1]) * t)
            for t in (a, b)
            for p, q in (((x0, y0), (x1, y1)), ((x3, y3), (x2, y2)))
        ]
    return around(corners)


def join_strings(parts: Iterable[str]) -> str:
    """Parts of a text that was broken over lines: no space where a wide character meets."""
    joined = ""
    for part in parts:
        if joined and part and _spaced(joined[-1], part[0]):
            joined += " "
        joined += part
    return joined


def _spaced(left: str, right: str) -> bool:
    return not (
        _WIDE.match(left) or _WIDE.match(right) or left.isspace() or right.isspace() or left == "-"
    )


def _expand(text: str) -> list[tuple[str, int]]:
    """NFKC characters with the index of the character they come from; no space beside CJK."""
    out: list[tuple[str, int]] = []
    for offset, char in enumerate(text):
        normal = unicodedata.normalize("NFKC", char)
        out += [(" " if each.isspace() else each, offset) for each in normal]
    kept: list[tuple[str, int]] = []
    for position, (char, offset) in enumerate(out):
        if char == " ":
            before = kept[-1][0] if kept else ""
            after = next((c for c, _ in out[position + 1 :] if c != " "), "")
            if not before or not after or before == " " or not _spaced(before, after):
                continue
        kept.append((char, offset))
    return kept


def _advance(text: str) -> tuple[list[float], float]:
    """Where each character of the line starts, in units of a wide character, and the whole width."""
    starts = [0.0]
    for char in text:
        starts.append(starts[-1] + (1.0 if _WIDE.match(char) else 0.55))
    return starts, starts[-1] or 1.0


def _reading_order(pieces: Sequence[Piece], height: float) -> tuple[Row, ...]:
    gutter = _gutter(pieces, height)
    if gutter is None:
        return tuple(rows_of(pieces))
    crossing = rows_of([p for p in pieces if p.u0 < gutter < p.u1])
    bands = [-10.0, *(row[0].v for row in crossing), 10.0]
    ordered: list[Row] = []
    for number, (top, bottom) in enumerate(pairwise(bands)):
        if number:
            ordered.append(crossing[number - 1])
        for side in (
            [p for p in pieces if p.u1 <= gutter],
            [p for p in pieces if p.u0 >= gutter],
        ):
            ordered.extend(rows_of([p for p in side if top <= p.v < bottom]))
    return tuple(ordered)


def _gutter(pieces: Sequence[Piece], height: float) -> float | None:
    """u of an empty band between two pages or columns of running text, or None.

    Either both sides hold paragraphs (several pieces of eight characters and more) and next to
    nothing crosses, or one side does and the band is far wider than any gap between a label and its
    value: rows of a form must not be torn.
    """
    long = [p for p in pieces if len(p.glyphs) >= 8]
    best: tuple[float, float, float] | None = None
    for step in range(25, 76):
        u = step / 100
        crossing = sum(1 for p in pieces if p.u0 < u < p.u1)
        left = sum(1 for p in long if p.u1 <= u)
        right = sum(1 for p in long if p.u0 >= u)
        if crossing > 0.06 * len(pieces):
            continue
        margin = _GUTTER * height / 2
        near = sum(1 for p in pieces if p.u0 < u + margin and u - margin < p.u1)
        both = min(left, right) >= 4 and near <= 0.08 * len(pieces)
        ends = [p.u1 for p in pieces if p.u1 <= u]
        begins = [p.u0 for p in pieces if p.u0 >= u]
        wide = bool(ends and begins) and min(begins) - max(ends) >= _WIDE_GUTTER * height
        if both or (wide and max(left, right) >= 4 and not crossing):
            rank = (float(wide), -float(near), -abs(u - 0.5))
            if best is None or rank > best:
                best, chosen = rank, u
    return chosen if best is not None else None


def rows_of(pieces: Sequence[Piece]) -> list[Row]:
    """Pieces grouped by baseline. A piece joins the row whose nearest piece stands level with it."""
    rows: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda p: (p.v, p.u0)):
        best: tuple[float, list[Piece]] | None = None
        for row in rows:
            nearest = min(row, key=lambda p: max(p.u0 - piece.u1, piece.u0 - p.u1, 0.0))
            gap = abs(nearest.v - piece.v)
            if gap > 0.5 * min(
                max(nearest.height, piece.height * 0.6), max(piece.height, nearest.height * 0.6)
            ):
                continue
            overlap = min(nearest.u1, piece.u1) - max(nearest.u0, piece.u0)
            if overlap > 0.4 * min(nearest.u1 - nearest.u0, piece.u1 - piece.u0):
                continue
            if best is None or gap < best[0]:
                best = (gap, row)
        if best is None:
            rows.append([piece])
        else:
            best[1].append(piece)
    ordered = [tuple(sorted(row, key=lambda p: p.u0)) for row in rows]
    return sorted(ordered, key=lambda row: statistics.median(p.v for p in row))


def join_rows(rows: Iterable[Row], row_mark: str = "", piece_mark: str = "") -> Text:
    """Rows as one text, with marks between rows and pieces, or a space where words meet."""
    chars: list[str] = []
    origins: list[Glyph | None] = []

    def mark(sign: str, following: str) -> None:
        if not chars:
            return
        if not sign and _spaced(chars[-1], following):
            sign = " "
        if sign:
            chars.append(sign)
            origins.append(None)

    for row in rows:
        for number, piece in enumerate(row):
            mark(piece_mark if number else row_mark, piece.glyphs[0].char)
            for glyph in piece.glyphs:
                chars.append(glyph.char)
                origins.append(glyph)
    return Text("".join(chars), tuple(origins))

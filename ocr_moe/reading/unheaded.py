"""Tables whose headings are missing, cut off or misread: rows that repeat a pattern.

Where columns are, ruled lines tell, or that nothing stands between them in rows of several boxes; which
they are, their cells (`ocr_moe.reading.contents`). At least three rows must repeat the pattern, in at
least half of the table's columns, and rows with another field's label are none: what stands beside it
is that field's value.

Pure functions, no pixels. Coordinates (u, v) as in `ocr_moe.reading.layout`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ocr_moe.reading.candidates import PreparedPage
from ocr_moe.reading.contents import SURE, fits, matched, told
from ocr_moe.reading.frames import Frame, frame_alone, within
from ocr_moe.reading.grids import Column, Grid, levelled, upright
from ocr_moe.reading.headings import Heading, enough_columns, level_headings
from ocr_moe.reading.layout import Glyph, Piece, rows_of
from ocr_moe.reading.tablerows import ReadRows, TableRow, read_rows
from ocr_moe.schema import Field
from ocr_moe.types import Rulings

_ROWS = 3
"""Rows that repeat a pattern, at least …"""
_REPEATING = 0.7
"""… and their share of the rows."""
_BOXES = 3
"""Boxes of a row from which it shows where columns are."""
_PLACES = 800
"""Places across a page at which it is looked whether boxes stand there."""
_SELDOM = 0.1
"""Share of rows up to which a box over the room between two columns is an exception."""
_ROOM = 0.2
"""Room between two columns, in text heights, at least."""
_BELIED = 0.5
"""Share of its cells that fit a column under its heading, below which columns are parted wrongly."""
_TIMES = 2
"""How often columns are told, and what stands in them made level."""
_UNDER = 0.5
"""How far under headings, in text heights, the first row may stand."""


@dataclass(frozen=True)
class Unheaded:
    """A table without enough headings, as it stands on a page."""

    read: ReadRows
    grid: Grid
    columns: Mapping[str, float]
    """Columns that were found, and how well each is known."""
    heads: tuple[Glyph, ...]
    """The headings that there are."""


def find_unheaded(wanted: Field, page: PreparedPage, rulings: Rulings | None) -> Unheaded | None:
    """The table by the pattern of its rows; None where none is certain enough."""
    if sum(told(column) for column in wanted.columns) < 2:
        return None
    size = page.layout.height
    rows = level_headings(wanted, page.layout.pieces, size)
    heads = max(rows, key=lambda row: (len({h.column for h in row}), row[0].v), default=[])
    if len(heads) < 2:
        heads = []
    used = {glyph for heading in heads for glyph in heading.glyphs}
    pieces = [piece for piece in page.layout.pieces if not used.intersection(piece.glyphs)]
    frame = None if rulings is None else frame_alone(page.layout, rulings)
    ways = []
    if frame is not None and len(frame.upright) > _BOXES:
        inside = within(frame.straightened(pieces), frame, size)
        moved = [replace(h, glyphs=tuple(map(frame.straight, h.glyphs))) for h in heads]
        ways.append(_in_columns(wanted, page, inside, frame.rules, moved, frame))
    ways.append(_aligned(wanted, page, pieces, heads))
    # Of two ways to part columns, the one by which more of them are known.
    return max(ways, key=lambda way: 0.0 if way is None else sum(way.columns.values()))


def _aligned(
    wanted: Field, page: PreparedPage, pieces: Sequence[Piece], heads: Sequence[Heading]
) -> Unheaded | None:
    size = page.layout.height
    body = upright(pieces, min((p.v for p in pieces), default=0.0), size)
    edges: list[float] = []
    for _ in range(_TIMES):
        edges = _edges(_under(body, heads, size), size)
        if len(edges) < _BOXES + 1:
            return None
        body = levelled(body, _anonymous(edges), size)
    return _in_columns(wanted, page, body, edges, heads, None)


def _edges(body: Sequence[Piece], size: float) -> list[float]:
    """Where columns begin and end, by the room between boxes in rows of several."""
    rows = [row for row in rows_of(body) if len(row) >= _BOXES]
    if len(rows) < _ROWS:
        return []
    counts = [0] * (_PLACES + 1)
    for row in rows:
        for piece in row:
            first, last = (min(max(round(u * _PLACES), 0), _PLACES) for u in (piece.u0, piece.u1))
            for at in range(first, last + 1):
                counts[at] += 1
    filled = [at for at, count in enumerate(counts) if count > _SELDOM * len(rows)]
    edges = [filled[0] / _PLACES - size]
    for left, right in pairwise(filled):
        if right - left > max(1, _ROOM * size * _PLACES):
            edges.append((left + right) / 2 / _PLACES)
    return [*edges, filled[-1] / _PLACES + size]


def _anonymous(edges: Sequence[float]) -> Grid:
    """Columns called by their number, from left to right."""
    outer = [-1.0, *edges, 2.0]
    columns = [
        Column(str(at) if 0 < at < len(outer) - 2 else None, left, right)
        for at, (left, right) in enumerate(pairwise(outer))
    ]
    return Grid((tuple(columns),), 0.0, {})


def _in_columns(
    wanted: Field,
    page: PreparedPage,
    pieces: Sequence[Piece],
    edges: Sequence[float],
    heads: Sequence[Heading],
    frame: Frame | None,
) -> Unheaded | None:
    size = page.layout.height
    grid = replace(_anonymous(edges), ruled=frame is not None)
    body = _under(pieces, heads, size)
    read = read_rows(wanted, page, grid, body, None, frame)
    if len(read.rows) < _ROWS:
        return None
    names = [column.name for column in grid.blocks[0] if column.name is not None]
    texts = [[row[name].text.text for row in read.rows if name in row] for name in names]
    known = {
        at: heading.column
        for heading in heads
        for at, column in enumerate(c for c in grid.blocks[0] if c.name is not None)
        if heading.column is not None and column.left <= heading.middle < column.right
    }
    fields = {column.name: column for column in wanted.columns}
    if any(_is_belied(fields[name], texts[at]) for at, name in known.items()):
        return None
    matches = matched(wanted.columns, texts, known)
    found = {match.column: match.quality for match in matches}
    found |= {heading.column: heading.quality for heading in heads if heading.column is not None}
    by_place = {names[match.place]: match.column for match in matches}
    by_place |= {names[at]: column for at, column in known.items()}
    sure = [name for name in found if told(fields[name])]
    if len(sure) < max(2, enough_columns(len(wanted.columns))) or not any(
        found[name] >= SURE for name in sure
    ):
        return None
    columns = tuple(
        replace(column, name=by_place.get(column.name or "")) for column in grid.blocks[0]
    )
    named = replace(grid, blocks=(columns,))
    read = read_rows(wanted, page, named, body, None, frame)
    rows = list(read.rows)
    alike = [_repeats([fields[name] for name in sure], row) for row in rows]
    first = next((at for at, each in enumerate(alike) if each), len(rows))
    last = next((at for at in range(len(rows), 0, -1) if alike[at - 1]), 0)
    inside = alike[first:last]
    if sum(inside) < _ROWS or sum(inside) < _REPEATING * len(inside):
        return None
    read.rows = rows[first:last]
    read.gaps = [gap - first for gap in read.gaps if first < gap < last]
    glyphs = tuple(glyph for heading in heads for glyph in heading.glyphs)
    return Unheaded(read, named, found, glyphs)


def _under(pieces: Sequence[Piece], heads: Sequence[Heading], size: float) -> list[Piece]:
    if not heads:
        return list(pieces)
    bottom = max(heading.bottom for heading in heads)
    return [piece for piece in pieces if piece.v > bottom + _UNDER * size]


def _is_belied(column: Field, texts: Sequence[str]) -> bool:
    """Whether what stands under a heading is not what the schema says of the column."""
    return told(column) and sum(fits(column, text) for text in texts) < _BELIED * len(texts)


def _repeats(columns: Sequence[Field], row: TableRow) -> bool:
    """Whether most of a row's cells fit their columns, and at least two do."""
    there = [column for column in columns if column.name in row]
    right = sum(fits(column, row[column.name].text.text) for column in there)
    return right >= 2 and 2 * right > len(there)

"""Tables on pages: which text stands in which row and column.

A table is found by its headings (`ocr_moe.reading.headings`), or, where there are too few, by what its
cells hold (`ocr_moe.reading.unheaded`).  It is read twice: by alignment, and, where there are some, by
ruled lines (`ocr_moe.reading.frames`), which count unless they lose much of the text.  Between two
headings a column ends where an upright rule stands, or where the fewest boxes are; a box that crosses
the line is cut there, if it holds two cells.  For rows see `ocr_moe.reading.tablerows`.  On the next
page the table goes on under the headings, or, where these are not repeated, where the columns were.

Pure functions, no pixels.  Coordinates (u, v) as in `ocr_moe.reading.layout`.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from ocr_moe.folds import HAN
from ocr_moe.reading.candidates import PreparedPage, headings_of
from ocr_moe.reading.contents import CELLS, LEFT_OVER, matched, told
from ocr_moe.reading.frames import Frame, frame_alone, frame_of, within
from ocr_moe.reading.grids import (
    Grid,
    grid_of,
    levelled,
    shifted,
    upright,
)
from ocr_moe.reading.headings import Heading, HeadingRow, heading_rows
from ocr_moe.reading.layout import Glyph, Piece, rows_of
from ocr_moe.reading.tablerows import ReadRows, TableCell, TableRow, read_rows
from ocr_moe.reading.unheaded import find_unheaded
from ocr_moe.schema import Field
from ocr_moe.types import Rulings

_FOLIO = re.compile(
    r"\W*(?:第?\s*\d+\s*页.{0,12}|page\s*\d+.{0,10}|\d+\s*/\s*\d+|[-–—]\s*\d+\s*[-–—])\W*",
    re.IGNORECASE,
)
"""The number of a page."""


@dataclass
class FoundTable:
    """A table as it stands on the pages of a document."""

    columns: dict[str, float]
    """The columns that have a heading, and how well that matches."""
    heads: list[tuple[PreparedPage, tuple[Glyph, ...]]] = field(default_factory=list)
    """Where its headings stand."""
    rows: list[TableRow] = field(default_factory=list)
    sums: list[TableRow] = field(default_factory=list)
    """Rows of sums over the whole table, as printed."""
    gaps: list[int] = field(default_factory=list)
    """Rows after which there is room for one that was not read."""
    strays: list[str] = field(default_factory=list)
    """Texts within the table that belong to no cell."""
    unclear: set[str] = field(default_factory=set)
    """Columns that may be there under a heading that was not recognised."""
    guessed: bool = False
    """Whether no headings but the cells themselves say which columns are which."""


def find_table(
    wanted: Field, pages: Sequence[PreparedPage], rulings: Mapping[int, Rulings] | None = None
) -> FoundTable | None:
    """The table on these pages of one document, or None where no headings of it are found; `rulings`
    are the ruled lines of pages by their numbers."""
    ruled = rulings or {}
    found: FoundTable | None = None
    last: Grid | None = None
    for page in pages:
        pieces = page.layout.pieces
        height = page.layout.height
        heads = heading_rows(wanted, pieces, height)
        if not heads:
            if found is not None and last is not None:
                last = _go_on(wanted, page, last, found, ruled.get(page.number))
            continue
        if found is None:
            found = FoundTable({})
        if last is not None:
            above = [piece for piece in pieces if piece.v < heads[0].v - height]
            _go_on(wanted, page, last, found, None, above)
        for index, head in enumerate(heads):
            until = heads[index + 1].v - height / 2 if index + 1 < len(heads) else None
            last = _under(wanted, page, head, until, found, ruled.get(page.number))
    return _without_headings(wanted, pages, ruled) if found is None else found


def _without_headings(
    wanted: Field, pages: Sequence[PreparedPage], ruled: Mapping[int, Rulings]
) -> FoundTable | None:
    """The table by what its cells hold, and its rows on the pages after that."""
    found: FoundTable | None = None
    last: Grid | None = None
    for page in pages:
        if found is None:
            seen = find_unheaded(wanted, page, ruled.get(page.number))
            if seen is not None:
                heads = [(page, seen.heads)] if seen.heads else []
                unclear = {column.name for column in wanted.columns}.difference(seen.columns)
                found = FoundTable(dict(seen.columns), heads, unclear=unclear, guessed=True)
                last = _taken(seen.read, seen.grid, found)
        elif last is not None:
            last = _go_on(wanted, page, last, found, ruled.get(page.number))
    return found


def _under(
    wanted: Field,
    page: PreparedPage,
    head: HeadingRow,
    until: float | None,
    found: FoundTable,
    rulings: Rulings | None,
) -> Grid | None:
    """Read what stands under a row of headings; the grid, where the table may go on on the next page."""
    found.heads.append((page, tuple(g for each in head.headings for g in each.glyphs)))
    used = head.used
    body = [
        piece
        for piece in page.layout.pieces
        if not used.intersection(piece.glyphs) and not _FOLIO.fullmatch(piece.text)
    ]
    numbered = _numbered(wanted, head)
    read, grid = _read_under(wanted, page, numbered, until, body, rulings)
    if numbered is not head:
        head = _recognised(wanted, numbered, read.rows)
        read, grid = _read_under(wanted, page, head, until, body, rulings)
    for heading in head.headings:
        if heading.column is not None:
            known = found.columns.get(heading.column, 0.0)
            found.columns[heading.column] = max(known, heading.quality)
    found.unclear |= _perhaps(wanted, head)
    return _taken(read, grid, found)


def _read_under(
    wanted: Field,
    page: PreparedPage,
    head: HeadingRow,
    until: float | None,
    body: Sequence[Piece],
    rulings: Rulings | None,
) -> tuple[ReadRows, Grid]:
    aligned = _aligned(wanted, page, head, until, body)
    if rulings is None:
        return aligned
    span = (head.headings[0].u0, head.headings[-1].u1)
    frame = frame_of(page.layout, rulings, top=head.v, span=span, until=until)
    if frame is None:
        return aligned
    return _surer(aligned, _framed(wanted, page, head, until, body, frame), body, frame)


def _numbered(wanted: Field, head: HeadingRow) -> HeadingRow:
    """The headings with numbers for those that say something unknown, if one of them may be that of a
    column of which the schema says what its cells are."""
    missing = _missing(wanted, head)
    if len(head.blocks) > 1 or not any(_is_sought(column) for column in missing):
        return head
    [block] = head.blocks
    if all(heading.column is not None for heading in block):
        return head
    numbered: list[Heading] = []
    for at, each in enumerate(block):
        before = numbered[-1] if numbered else None
        again = before is not None and each.u0 < before.middle
        unknown = each.column is None and not again
        numbered.append(replace(each, column=str(at)) if unknown else each)
    return HeadingRow((tuple(numbered),))


def _is_sought(column: Field) -> bool:
    """Whether a column without a heading may be known by its cells, or must be one that is left over."""
    return told(column) or column.required


def _recognised(wanted: Field, head: HeadingRow, rows: Sequence[TableRow]) -> HeadingRow:
    """Numbered headings with the names of the columns that their cells are surely of, and without."""
    names = {column.name for column in wanted.columns}
    strange = [h.column for h in head.headings if h.column is not None and h.column not in names]
    places = [[row[name].text.text for row in rows if name in row] for name in strange]
    missing = [column for column in _missing(wanted, head) if _is_sought(column)]
    sure = {
        strange[each.place]: each
        for each in matched(missing, places)
        if each.quality >= LEFT_OVER and len(places[each.place]) >= CELLS
    }

    def named(heading: Heading) -> Heading:
        if heading.column in names:
            return heading
        found = None if heading.column is None else sure.get(heading.column)
        if found is None:
            return replace(heading, column=None)
        return replace(heading, column=found.column, quality=found.quality)

    return HeadingRow(tuple(tuple(map(named, block)) for block in head.blocks))


def _missing(wanted: Field, head: HeadingRow) -> list[Field]:
    known = {heading.column for heading in head.headings}
    return [column for column in wanted.columns if column.name not in known]


def _perhaps(wanted: Field, head: HeadingRow) -> set[str]:
    """Columns without a heading to which one of those may belong that say something unknown: they share
    a character."""
    strange = [{g.char for g in each.glyphs} for each in head.headings if each.column is None]
    return {
        column.name
        for column in _missing(wanted, head)
        if any(chars.intersection(word) for chars in strange for word in headings_of(column))
    }


def _aligned(
    wanted: Field,
    page: PreparedPage,
    head: HeadingRow,
    until: float | None,
    pieces: Sequence[Piece],
) -> tuple[ReadRows, Grid]:
    """The rows as their alignment under the headings tells them."""
    size = page.layout.height
    body = _without_second_line(_below(pieces, head, until, size), head, size)
    body = upright(body, head.v, size)
    grid = grid_of(head, body)
    body = levelled(body, grid, size)
    return _settled(wanted, page, head, body, grid, None)


def _framed(
    wanted: Field,
    page: PreparedPage,
    head: HeadingRow,
    until: float | None,
    pieces: Sequence[Piece],
    frame: Frame,
) -> tuple[ReadRows, Grid]:
    """The rows as ruled lines part them, and as alignment tells them where these do not."""
    size = page.layout.height
    head = _straightened(head, frame)
    body = _below(frame.straightened(pieces), head, until, size)
    body = _without_second_line(within(body, frame, size), head, size)
    if len(frame.upright) < 2:
        body = upright(body, head.v, size)
    grid = grid_of(head, body, frame.rules)
    if len(frame.level) < 2:
        body = levelled(body, grid, size)
    return _settled(wanted, page, head, body, grid, frame)


def _settled(
    wanted: Field,
    page: PreparedPage,
    head: HeadingRow,
    body: Sequence[Piece],
    grid: Grid,
    frame: Frame | None,
) -> tuple[ReadRows, Grid]:
    size = page.layout.height
    read = read_rows(wanted, page, grid, body, head.bottom, frame)
    for _ in range(_ROUNDS):
        inside = [piece for piece in body if piece.v <= read.bottom + size / 2]
        rules = () if frame is None else frame.rules
        again = grid_of(head, inside, rules) if inside else grid
        if again.edges == grid.edges:
            break
        grid = again
        read = read_rows(wanted, page, grid, body, head.bottom, frame)
    return read, grid


def _below_frame(body: Sequence[Piece], frame: Frame) -> set[tuple[int, int]]:
    bottom = frame.bottom
    return {
        (glyph.line, glyph.offset)
        for piece in body
        for glyph in piece.glyphs
        if bottom is not None and frame.straight(glyph).v >= bottom
    }


def _places(cells: Iterable[TableCell]) -> set[tuple[int, int]]:
    return {(glyph.line, glyph.offset) for cell in cells for glyph in cell.glyphs}


def _below(
    pieces: Sequence[Piece], head: HeadingRow, until: float | None, size: float
) -> list[Piece]:
    return [
        piece
        for piece in pieces
        if piece.v > head.bottom + _UNDER * size and (until is None or piece.v < until)
    ]


def _straightened(head: HeadingRow, frame: Frame) -> HeadingRow:
    return HeadingRow(
        tuple(
            tuple(
                Heading(each.column, tuple(map(frame.straight, each.glyphs)), each.quality)
                for each in block
            )
            for block in head.blocks
        )
    )


_MOST = 0.7
"""Share of a column's cells that alignment fills, likewise …"""
_AS_MUCH = 0.9
"""Share of the characters that alignment puts into cells which ruled lines must, to be believed."""


def _surer(
    aligned: tuple[ReadRows, Grid],
    framed: tuple[ReadRows, Grid],
    body: Sequence[Piece],
    frame: Frame,
) -> tuple[ReadRows, Grid]:
    """What ruled lines tell, with a mark at the cells of which alignment tells otherwise; what alignment
    tells, where they lose much of it that stands within the frame."""
    plain, read = aligned[0], framed[0]
    below = _below_frame(body, frame)
    rows = [row for row in plain.rows if not _places(row.values()) <= below]
    placed = plain.placed() - below
    if len(read.placed()) < _AS_MUCH * len(placed):
        return aligned
    filled = Counter(name for row in read.rows for name in row)
    there = Counter(name for row in rows for name in row)
    if any(filled[name] < _MOST * count for name, count in there.items() if count >= CELLS):
        return aligned
    # Rows below the frame: of another table, or the frame was not seen whole.
    read.strays += [
        " ".join(cell.text.text for cell in row.values())
        for row in plain.rows
        if _places(row.values()) <= below
    ]
    known = {
        (name, frozenset((g.line, g.offset) for g in cell.glyphs))
        for row in plain.rows
        for name, cell in row.items()
    }
    read.rows = [
        {
            name: replace(
                cell,
                framed=True,
                agreed=(name, frozenset((g.line, g.offset) for g in cell.glyphs)) in known,
            )
            for name, cell in row.items()
        }
        for row in read.rows
    ]
    return framed


_UNDER = 0.5
"""How far under its headings, in text heights, the first row may stand."""
_ROUNDS = 2
"""How often columns are told anew from the rows that they gave."""


def _go_on(
    wanted: Field,
    page: PreparedPage,
    last: Grid,
    found: FoundTable,
    rulings: Rulings | None,
    pieces: Sequence[Piece] | None = None,
) -> Grid | None:
    """Read the rows with which a table goes on without headings, on the next page."""
    size = page.layout.height
    body = [
        piece
        for piece in (page.layout.pieces if pieces is None else pieces)
        if not _FOLIO.fullmatch(piece.text)
    ]
    straight = upright(body, min((piece.v for piece in body), default=0.0), size)
    grid = shifted(last, straight)
    read = read_rows(wanted, page, grid, levelled(straight, grid, size), None)
    frame = None if rulings is None else frame_alone(page.layout, rulings)
    if frame is not None:
        inside = within(frame.straightened(body), frame, size)
        if last.ruled and _is_alike(frame.rules, last.edges[1:-1]):
            inner = _with_edges(last, [-1.0, *frame.rules, 2.0])
        else:
            inner = shifted(replace(last, ruled=False), inside)
        if len(frame.level) < 2:
            inside = levelled(inside, inner, size)
        framed = read_rows(wanted, page, inner, inside, None, frame)
        read, grid = _surer((read, grid), (framed, inner), body, frame)
    return _taken(read, grid, found) if read.rows else None


_APART = 0.03
"""How far rules of the next page stand elsewhere, in parts of the table's width, at most."""


def _is_alike(rules: Sequence[float], edges: Sequence[float]) -> bool:
    """Whether rules part a page as those of the page before did, which may have been larger."""
    if len(rules) != len(edges) or len(rules) < 2:
        return False
    first, other = (
        [(u - line[0]) / max(line[-1] - line[0], 1e-6) for u in line] for line in (rules, edges)
    )
    return all(abs(a - b) <= _APART for a, b in zip(first, other, strict=True))


def _with_edges(grid: Grid, edges: Sequence[float]) -> Grid:
    pairs = iter(pairwise(edges))
    blocks = tuple(
        tuple(
            replace(column, left=left, right=right)
            for column, (left, right) in zip(block, pairs, strict=False)
        )
        for block in grid.blocks
    )
    return replace(grid, blocks=blocks)


def _taken(read: ReadRows, grid: Grid, found: FoundTable) -> Grid | None:
    before = len(found.rows)
    found.rows += read.rows
    found.gaps += [before + gap for gap in read.gaps]
    found.sums += read.sums
    found.strays += read.strays
    return None if read.ended else replace(grid, pitch=read.pitch or grid.pitch, looks=read.looks)


def _without_second_line(body: Sequence[Piece], head: HeadingRow, size: float) -> list[Piece]:
    """Without a line of letters right under the headings, which says them again in another language."""
    rows = rows_of(body)
    if len(rows) < 3:
        return list(body)
    first = rows[0]
    near = statistics.median(piece.v for piece in first) - head.bottom <= _SECOND_LINE * size
    digits = [any(char.isdigit() for piece in row for char in piece.text) for row in rows]
    plain = not digits[0] and sum(digits[1:]) > len(digits[1:]) / 2
    other = not any(HAN.search(piece.text) for piece in first)
    chinese = any(HAN.search(glyph.char) for heading in head.headings for glyph in heading.glyphs)
    if near and plain and other and chinese:
        return [piece for row in rows[1:] for piece in row]
    return list(body)


_SECOND_LINE = 2.0
"""How far under the headings, in text heights, such a line stands at most."""

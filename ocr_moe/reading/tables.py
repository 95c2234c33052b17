"""Tables on pages: which text stands in which row and column.

A table is found by its headings (`ocr_moe.reading.headings`).  Where one column ends and the next
begins, the table's own cells tell: between two headings a line runs down where the fewest boxes are.
A box that crosses it is cut there, if it holds two cells.  Rows are what stands level in several
columns; a line that stands in one column alone goes on with the cell above it, or below.  The table
ends at a row of sums, at the label of another field, at a gap, or where the rows look otherwise than
those before.  On the next page it goes on under the headings, or, where these are not repeated,
where the columns were.

Pure functions, no pixels.  Coordinates (u, v) as in `ocr_moe.reading.layout`.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from ocr_moe.folds import HAN
from ocr_moe.reading.candidates import PreparedPage, compiled
from ocr_moe.reading.grids import (
    SEEN,
    Column,
    Grid,
    Looks,
    cells_of,
    grid_of,
    is_across,
    levelled,
    looks_of,
    shifted,
    upright,
)
from ocr_moe.reading.headings import HeadingRow, enough_columns, heading_rows
from ocr_moe.reading.layout import Glyph, Piece, Text, join_rows, rows_of
from ocr_moe.schema import Field

_SUM = re.compile(
    r"(?:合\s*计|总\s*计|共\s*计|累\s*计|(?:grand\s*)?total\b|sum\b|somme\b|summe\b)", re.IGNORECASE
)
"""What a row of sums begins with: the table ends there."""
_SUBTOTAL = re.compile(r"(?:小\s*计|sub-?\s*total\b)", re.IGNORECASE)
"""What a row of a part's sums begins with: the table goes on."""
_NO_LABEL = 6
"""Characters behind such a word beyond which it is the beginning of something else's name."""
_FOLIO = re.compile(
    r"\W*(?:第?\s*\d+\s*页.{0,12}|page\s*\d+.{0,10}|\d+\s*/\s*\d+|[-–—]\s*\d+\s*[-–—])\W*",
    re.IGNORECASE,
)
"""The number of a page."""


@dataclass(frozen=True)
class TableCell:
    """What stands in a cell: characters of a page, in reading order."""

    page: PreparedPage
    lines: tuple[tuple[Piece, ...], ...]
    """Its lines, each of pieces from left to right."""
    cut: bool = False
    """Whether a box was cut to get it out."""

    @property
    def text(self) -> Text:
        return join_rows(self.lines)

    @property
    def glyphs(self) -> tuple[Glyph, ...]:
        return tuple(glyph for line in self.lines for piece in line for glyph in piece.glyphs)


TableRow = Mapping[str, TableCell]
"""Column → its cell; columns in which nothing stands are left out."""


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


def find_table(wanted: Field, pages: Sequence[PreparedPage]) -> FoundTable | None:
    """The table on these pages of one document, or None where no headings of it are found."""
    found: FoundTable | None = None
    last: Grid | None = None
    for page in pages:
        pieces = page.layout.pieces
        height = page.layout.height
        heads = heading_rows(wanted, pieces, height)
        if not heads:
            if found is not None and last is not None:
                last = _go_on(wanted, page, last, found)
            continue
        if found is None:
            found = FoundTable({})
        if last is not None:
            above = [piece for piece in pieces if piece.v < heads[0].v - height]
            _go_on(wanted, page, last, found, above)
        for index, head in enumerate(heads):
            until = heads[index + 1].v - height / 2 if index + 1 < len(heads) else None
            last = _under(wanted, page, head, until, found)
    return found


def _under(
    wanted: Field, page: PreparedPage, head: HeadingRow, until: float | None, found: FoundTable
) -> Grid | None:
    """Read what stands under a row of headings; the grid, where the table may go on on the next page."""
    size = page.layout.height
    for heading in head.headings:
        if heading.column is not None:
            known = found.columns.get(heading.column, 0.0)
            found.columns[heading.column] = max(known, heading.quality)
    found.heads.append((page, tuple(g for each in head.headings for g in each.glyphs)))
    used = head.used
    body = [
        piece
        for piece in page.layout.pieces
        if piece.v > head.bottom + _UNDER * size
        and (until is None or piece.v < until)
        and not used.intersection(piece.glyphs)
        and not _FOLIO.fullmatch(piece.text)
    ]
    body = _without_second_line(body, head, size)
    body = upright(body, head.v, size)
    grid = grid_of(head, body)
    body = levelled(body, grid, size)
    read = _read(wanted, page, grid, body, head.bottom)
    for _ in range(_ROUNDS):
        inside = [piece for piece in body if piece.v <= read.bottom + size / 2]
        again = grid_of(head, inside) if inside else grid
        if again.edges == grid.edges:
            break
        grid = again
        read = _read(wanted, page, grid, body, head.bottom)
    return _taken(read, grid, found)


_UNDER = 0.5
"""How far under its headings, in text heights, the first row may stand."""
_ROUNDS = 2
"""How often columns are told anew from the rows that they gave."""


def _go_on(
    wanted: Field,
    page: PreparedPage,
    last: Grid,
    found: FoundTable,
    pieces: Sequence[Piece] | None = None,
) -> Grid | None:
    """Read the rows with which a table goes on without headings, on the next page."""
    body = [
        piece
        for piece in (page.layout.pieces if pieces is None else pieces)
        if not _FOLIO.fullmatch(piece.text)
    ]
    body = upright(body, min((piece.v for piece in body), default=0.0), page.layout.height)
    grid = shifted(last, body)
    body = levelled(body, grid, page.layout.height)
    read = _read(wanted, page, grid, body, None)
    return _taken(read, grid, found) if read.rows else None


def _taken(read: _Read, grid: Grid, found: FoundTable) -> Grid | None:
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


@dataclass
class _Line:
    """What stands level within one block: column → pieces."""

    v: float
    cells: dict[str, list[Piece]]
    cut: set[str]
    whole: str
    """All of its text, of other columns too."""
    barred: bool = False
    """Whether a label of another field stands in it."""
    across: bool = False
    """Whether it is one text over several columns, such as the name of a term over its courses."""


@dataclass
class _Read:
    rows: list[TableRow] = field(default_factory=list)
    sums: list[TableRow] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    bottom: float = 0.0
    pitch: float = 0.0
    ended: bool = False
    """Whether something under the last row says that the table is over."""
    looks: dict[str, Counter[str]] = field(default_factory=dict)


def _read(
    wanted: Field, page: PreparedPage, grid: Grid, body: Sequence[Piece], top: float | None
) -> _Read:
    """The rows of every block, block by block; `top` is where the headings stand."""
    read = _Read()
    offset = 0
    size = page.layout.height
    barred = {
        label.glyphs[0].line
        for label in page.form.labels
        if label.name is not None and label.name != wanted.name and label.quality >= 0.75
    }
    level = rows_of(body)
    for block in grid.blocks:
        columns = range(offset, offset + len(block))
        offset += len(block)
        lines = list(_lines(level, grid, columns, block, barred))
        part = _rows_of_block(wanted, page, grid, block, lines, top, size)
        before = len(read.rows)
        read.rows += part.rows
        read.sums += part.sums
        read.gaps += [before + gap for gap in part.gaps]
        read.strays += part.strays
        read.bottom = max(read.bottom, part.bottom)
        read.pitch = read.pitch or part.pitch
        read.ended = read.ended or part.ended
        for name, looks in part.looks.items():
            read.looks[name] = read.looks.get(name, Counter()) + looks
    if len(grid.blocks) > 1 and grid.blocks[0][0].name is not None:
        _put_in_order(read, grid.blocks[0][0].name)
    return read


def _put_in_order(read: _Read, name: str) -> None:
    """Rows of blocks side by side are read block by block, unless the numbers in their first column,
    which has the `name`, go across."""
    texts = [row[name].text.text if name in row else "" for row in read.rows]
    if not texts or not all(text.isdecimal() and len(text) < _LONG_NUMBER for text in texts):
        return
    numbers = [int(text) for text in texts]
    if sorted(numbers) == list(range(min(numbers), min(numbers) + len(numbers))):
        order = sorted(range(len(numbers)), key=numbers.__getitem__)
        read.gaps = sorted(order.index(gap - 1) + 1 for gap in read.gaps)
        read.rows = [read.rows[at] for at in order]


_LONG_NUMBER = 5
"""Digits from which a number is none of a row."""


def _lines(
    level: Iterable[Sequence[Piece]],
    grid: Grid,
    columns: range,
    block: Sequence[Column],
    barred: set[int],
) -> Iterator[_Line]:
    for row in level:
        cut: set[str] = set()
        placed: list[list[Piece]] = [[] for _ in block]
        for piece in row:
            for column, part, was_cut in cells_of(piece, grid, row):
                if column in columns:
                    placed[column - columns.start].append(part)
                    if was_cut:
                        cut.add(block[column - columns.start].name or "")
        inside = [piece for pieces in placed for piece in pieces]
        _spread(placed)
        cells = {
            column.name: pieces
            for column, pieces in zip(block, placed, strict=True)
            if column.name is not None and pieces
        }
        if inside:
            v = statistics.median(piece.v for piece in inside)
            bars = any(piece.glyphs[0].line in barred for piece in inside)
            across = len(row) == 1 and not cut and is_across(row[0], grid.edges)
            yield _Line(v, cells, cut, join_rows([tuple(inside)]).text, bars, across)


_CELLS_APART = 0.4
"""Gap, in text heights, from which two boxes of a row are hardly one cell …"""


def _spread(placed: list[list[Piece]]) -> None:
    """… and one of them is the cell of a neighbouring column, if that has none in the row."""
    for at, pieces in enumerate(placed):
        if len(pieces) < 2:
            continue
        left, right = pieces[0], pieces[-1]
        if pieces[1].u0 - left.u1 > _CELLS_APART * left.height and at and not placed[at - 1]:
            placed[at - 1].append(pieces.pop(0))
        elif (
            right.u0 - pieces[-2].u1 > _CELLS_APART * right.height
            and at + 1 < len(placed)
            and not placed[at + 1]
        ):
            placed[at + 1].append(pieces.pop())


_FAR = 2.6
"""Distance to the next row, in distances between rows, from which it is not of the table: a line of
its own, such as the heading of a term, may stand between two rows, and one may not have been read."""
_FIRST_FAR = 6.0
"""The same from the headings to the first row, in text heights."""
_ROOM = 1.6
"""Distance between two rows, in distances between rows, from which there is room for another one."""


def _rows_of_block(
    wanted: Field,
    page: PreparedPage,
    grid: Grid,
    block: Sequence[Column],
    lines: Sequence[_Line],
    top: float | None,
    size: float,
) -> _Read:
    names = [column.name for column in block if column.name is not None]
    least = enough_columns(len(names)) if len(names) < 3 else 2
    full = [line for line in lines if len(line.cells) >= least]
    pitch = _pitch_of([line.v for line in full], size) or grid.pitch
    read = _Read(pitch=pitch)
    kept: list[_Line] = []
    before = top
    for line in full:
        if _is_sum(wanted, line):
            if kept or top is not None:
                read.sums.append(_row(page, line))
                read.bottom = line.v  # sums, too, tell where columns stand
                read.ended = True
                break
            continue
        if _SUBTOTAL.match(line.whole):
            before = line.v
            continue
        if line.barred and not _is_whole(wanted, line, names):
            if kept:
                read.ended = True
                break
            if top is not None:
                continue
        if kept and before is not None and line.v - before > _FAR * pitch:
            read.ended = True
            break
        if not kept and top is not None and line.v - top > max(_FIRST_FAR * size, _FAR * pitch):
            read.ended = True
            break
        if not kept and top is None and not _begins_again(line, names, grid.looks):
            continue
        kept.append(line)
        before = line.v
    kept, dropped = _without_tail(kept, grid.looks)
    read.ended = read.ended or dropped
    if not kept:
        return read
    between = [line for line in lines if not any(line is each for each in full)]
    if not read.ended:
        foot = [line for line in between if line.v > kept[-1].v + pitch / 2]
        read.ended = any(line.barred or _is_sum(wanted, line) for line in foot)
    _join(kept, between, pitch, size, read)
    read.rows = [_row(page, line) for line in kept]
    looks = looks_by_column(kept)
    filled = [
        line.v
        for line in lines
        if line.across or _SUBTOTAL.match(line.whole) or not _alike(line, looks)
    ]
    read.gaps = [
        index
        for index, (one, other) in enumerate(pairwise(kept), start=1)
        if other.v - one.v > _ROOM * pitch and not any(one.v < v < other.v for v in filled)
    ]
    read.bottom = max(read.bottom, kept[-1].v)
    read.looks = looks
    return read


def _is_whole(wanted: Field, line: _Line, names: Sequence[str]) -> bool:
    """Whether a line fills every column, with what their shapes ask for: it is a row though its words
    are those of a label (专业选修 where 专业 is a field)."""
    shapes = {name: shape for name in names if (shape := wanted.column(name).shape)}
    return (
        bool(shapes)
        and line.cells.keys() >= set(names)
        and all(
            compiled(shape).search(join_rows([tuple(line.cells[name])]).text)
            for name, shape in shapes.items()
        )
    )


def _pitch_of(levels: Sequence[float], size: float) -> float:
    steps = [below - above for above, below in pairwise(levels) if below - above > size / 2]
    return statistics.median_low(steps) if steps else 0.0


def _is_sum(wanted: Field, line: _Line) -> bool:
    """Whether a line holds the sums of the table, or one of the words at which it ends."""
    text = line.whole.lstrip(" ¥￥:：-—*")
    match = _SUM.match(text)
    if match is not None:
        word = re.match(r"[^\d:：¥￥]*", text[match.end() :])
        if word is None or len(word.group().strip()) <= _NO_LABEL:
            return True
    return any(text.startswith(stop) for stop in wanted.stops)


def _row(page: PreparedPage, line: _Line) -> TableRow:
    return {
        name: TableCell(page, _in_lines(pieces), name in line.cut)
        for name, pieces in line.cells.items()
    }


def _in_lines(pieces: Sequence[Piece]) -> tuple[tuple[Piece, ...], ...]:
    return tuple(rows_of(pieces))


def looks_by_column(lines: Sequence[_Line]) -> dict[str, Counter[str]]:
    looks: dict[str, Counter[str]] = {}
    for line in lines:
        for name, pieces in line.cells.items():
            text = join_rows([tuple(pieces)]).text
            looks.setdefault(name, Counter())[looks_of(text)] += 1
    return looks


def _begins_again(line: _Line, names: Sequence[str], looks: Looks) -> bool:
    """Whether a line of the next page is a row, and no head of the page."""
    return len(line.cells) >= enough_columns(len(names)) and _alike(line, looks)


_FEW_ROWS = 3
"""Rows from which it is known what is usual."""


def _alike(line: _Line, looks: Looks) -> bool:
    """Whether most cells of a line look like those of their columns."""
    known = [name for name in line.cells if name in looks]
    strange = sum(
        looks[name][looks_of(join_rows([tuple(line.cells[name])]).text)]
        < SEEN * looks[name].total()
        for name in known
    )
    return strange * 2 <= len(known) - (len(known) > 1)


def _without_tail(lines: list[_Line], before: Looks) -> tuple[list[_Line], bool]:
    """Without last lines that look like something else, and whether there were any."""
    looks = before if len(lines) < _FEW_ROWS else looks_by_column(lines)
    count = len(lines)
    if looks:
        while lines and not _alike(lines[-1], looks):
            lines.pop()
    return lines, len(lines) < count


_WRAPPED = 1.9
"""How far from its cell's other line, in text heights, a line of one column stands at most."""
_CLEARLY = 0.6
"""How much nearer the row below must be for a line to be the first one of its cell there."""


def _join(
    rows: Sequence[_Line], others: Iterable[_Line], pitch: float, size: float, read: _Read
) -> None:
    """Lines of one column go to the row above or below them, into whose cells they are put."""
    looks = looks_by_column(rows) if len(rows) >= _FEW_ROWS else {}
    for line in others:
        above = max((row for row in rows if row.v <= line.v), key=lambda row: row.v, default=None)
        below = min((row for row in rows if row.v > line.v), key=lambda row: row.v, default=None)
        if not line.cells or line.across:
            continue
        [name, *more] = line.cells
        if not _alike(line, looks):
            continue
        chosen = (
            None if more else _owner(name, line, above, below, min(pitch or 1.0, _WRAPPED * size))
        )
        if chosen is None:
            if above is not None and below is not None and not more:
                read.strays.append(line.whole)
            continue
        chosen.cells.setdefault(name, []).extend(line.cells[name])
        chosen.cut |= line.cut


def _owner(
    name: str, line: _Line, above: _Line | None, below: _Line | None, reach: float
) -> _Line | None:
    def off(row: _Line | None) -> float:
        if row is None:
            return float("inf")
        own = [piece.v for piece in row.cells.get(name, ())]
        return min((abs(line.v - v) for v in (*own, row.v)), default=float("inf"))

    up, down = off(above), off(below)
    if min(up, down) > reach:
        return None
    if above is None or below is None:
        return above if below is None else below
    if name in above.cells and name in below.cells:
        return below if down < _CLEARLY * up else above
    return above if up <= down else below

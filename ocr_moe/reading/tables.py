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

from ocr_moe.reading.candidates import PreparedPage
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
"""Characters behind such a word from which the text is no row of sums but something that is called so."""
_FOLIO = re.compile(
    r"\W*(?:第?\s*\d+\s*页.{0,12}|page\s*\d+.{0,10}|\d+\s*/\s*\d+|[-–—]\s*\d+\s*[-–—])\W*", re.IGNORECASE
)
"""The number of a page."""
_HAN = re.compile(r"[\u3400-\u9fff]")


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
    last: _Grid | None = None
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


@dataclass(frozen=True)
class _Column:
    name: str | None
    left: float
    right: float


@dataclass(frozen=True)
class _Grid:
    """Columns of a part of a table, from left to right, in blocks side by side."""

    blocks: tuple[tuple[_Column, ...], ...]
    pitch: float
    """Distance between its rows."""
    looks: Mapping[str, Counter[str]]
    """Column → of what looks its cells were."""

    @property
    def edges(self) -> list[float]:
        columns = [column for block in self.blocks for column in block]
        return [columns[0].left, *(column.right for column in columns)]


def _under(
    wanted: Field, page: PreparedPage, head: HeadingRow, until: float | None, found: FoundTable
) -> _Grid | None:
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
    body = _upright(body, head.v, size)
    grid = _grid_of(head, body)
    body = _levelled(body, grid, size)
    for _ in range(_ROUNDS):
        read = _read(wanted, page, grid, body, head.bottom)
        inside = [piece for piece in body if piece.v <= read.bottom + size / 2]
        again = _grid_of(head, inside) if inside else grid
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
    last: _Grid,
    found: FoundTable,
    pieces: Sequence[Piece] | None = None,
) -> _Grid | None:
    """Read the rows with which a table goes on without headings, on the next page."""
    body = [
        piece
        for piece in (page.layout.pieces if pieces is None else pieces)
        if not _FOLIO.fullmatch(piece.text)
    ]
    body = _upright(body, min((piece.v for piece in body), default=0.0), page.layout.height)
    grid = _shifted(last, body)
    body = _levelled(body, grid, page.layout.height)
    read = _read(wanted, page, grid, body, None)
    return _taken(read, grid, found) if read.rows else None


def _taken(read: _Read, grid: _Grid, found: FoundTable) -> _Grid | None:
    before = len(found.rows)
    found.rows += read.rows
    found.gaps += [before + gap for gap in read.gaps]
    found.sums += read.sums
    found.strays += read.strays
    return None if read.ended else replace(grid, pitch=read.pitch or grid.pitch, looks=read.looks)


_SHIFT = 0.08
"""How far, in page widths, a table may stand further left or right on the next page …"""
_SCALE = 0.08
"""… and by which share it may be wider or narrower there, on another photograph."""
_TRIES = (8, 4)
"""Shifts and scales that are tried on either side."""


def _shifted(grid: _Grid, pieces: Sequence[Piece]) -> _Grid:
    """The grid as it fits the boxes of another page best."""
    shifts, scales = _TRIES
    moves = [
        (step * _SHIFT / shifts, 1.0 + wider * _SCALE / scales)
        for step in range(-shifts, shifts + 1)
        for wider in range(-scales, scales + 1)
    ]
    moves.sort(key=lambda move: abs(move[0]) + abs(move[1] - 1.0))
    texts = [(piece.u0, piece.u1, looks_of(piece.text)) for piece in pieces]
    names = [column.name for block in grid.blocks for column in block]

    def unfit(move: tuple[float, float]) -> int:
        edges = _moved(grid, move).edges
        count = 0
        for u0, u1, looks in texts:
            count += sum(u0 < u < u1 for u in edges[1:-1])
            usual = grid.looks.get(names[_column_at(edges, (u0 + u1) / 2)] or "")
            count += usual is not None and usual[looks] < _SEEN * usual.total()
        return count

    return _moved(grid, min(moves, key=unfit))


def _moved(grid: _Grid, move: tuple[float, float]) -> _Grid:
    shift, scale = move
    blocks = tuple(
        tuple(
            replace(
                column,
                left=0.5 + (column.left - 0.5) * scale + shift,
                right=0.5 + (column.right - 0.5) * scale + shift,
            )
            for column in block
        )
        for block in grid.blocks
    )
    return replace(grid, blocks=blocks)


def _without_second_line(
    body: Sequence[Piece], head: HeadingRow, size: float
) -> list[Piece]:
    """Without a line of letters right under the headings, which says them again in another language."""
    rows = rows_of(body)
    if len(rows) < 3:
        return list(body)
    first = rows[0]
    near = statistics.median(piece.v for piece in first) - head.bottom <= _SECOND_LINE * size
    digits = [any(char.isdigit() for piece in row for char in piece.text) for row in rows]
    plain = not digits[0] and sum(digits[1:]) > len(digits[1:]) / 2
    other = not any(_HAN.search(piece.text) for piece in first)
    chinese = any(_HAN.search(glyph.char) for heading in head.headings for glyph in heading.glyphs)
    if near and plain and other and chinese:
        return [piece for row in rows[1:] for piece in row]
    return list(body)


_SECOND_LINE = 2.0
"""How far under the headings, in text heights, such a line stands at most."""


# Columns


_LEANING = 0.16
"""How far columns lean at most, in parts of their height: what perspective leaves of a tilted page."""
_TRIED = 40
"""Leanings that are tried on either side of upright."""
_STRAIGHTER = 1.15
"""How much better edges must stand under one another for a page to be taken for leaning."""
_COLUMN_BOXES = 12
"""Boxes in half of a table from which it is told how its columns lean."""


def _upright(body: Sequence[Piece], level: float, size: float) -> list[Piece]:
    """The pieces with their columns made upright around the height `level`."""
    pieces = list(body)
    middle = statistics.median([(p.u0 + p.u1) / 2 for p in pieces]) if pieces else 0.5
    halves = (
        [p for p in pieces if (p.u0 + p.u1) / 2 <= middle],
        [p for p in pieces if (p.u0 + p.u1) / 2 > middle],
    )
    if min(map(len, halves)) < _COLUMN_BOXES:
        return pieces
    leanings = [_leaning(half, level, size) for half in halves]
    if leanings == [0.0, 0.0]:
        return pieces
    places = [statistics.median((p.u0 + p.u1) / 2 for p in half) for half in halves]
    change = (leanings[1] - leanings[0]) / max(places[1] - places[0], size)

    def moved(glyph: Glyph) -> Glyph:
        lean = leanings[0] + change * ((glyph.u0 + glyph.u1) / 2 - places[0])
        off = lean * (glyph.v - level)
        return replace(glyph, u0=glyph.u0 - off, u1=glyph.u1 - off)

    return [replace(piece, glyphs=tuple(map(moved, piece.glyphs))) for piece in pieces]


def _leaning(pieces: Sequence[Piece], level: float, size: float) -> float:
    """du/dv along which the edges, or the middles, of most boxes stand under one another."""
    edges = [[(each(p), p.v - level) for p in pieces] for each in (_start, _centre, _end)]

    def straight(lean: float) -> float:
        best = 0
        for of_side in edges:
            bins = Counter(round((u - lean * v) / (size / 2)) for u, v in of_side)
            best = max(best, sum(count * count for count in bins.values()))
        return float(best)

    steps = sorted((step * _LEANING / _TRIED for step in range(-_TRIED, _TRIED + 1)), key=abs)
    chosen = max(steps, key=straight)
    return chosen if straight(chosen) > _STRAIGHTER * straight(0.0) else 0.0


def _start(piece: Piece) -> float:
    return piece.u0


def _centre(piece: Piece) -> float:
    return (piece.u0 + piece.u1) / 2


def _end(piece: Piece) -> float:
    return piece.u1


def _grid_of(head: HeadingRow, body: Sequence[Piece]) -> _Grid:
    headings = head.headings
    spans = [(piece.u0, piece.u1) for piece in body]
    spans += [(heading.u0, heading.u1) for heading in headings]
    between = [_line(left.middle, right.middle, spans) for left, right in pairwise(headings)]
    edges = [-1.0, *between, 2.0]
    blocks: list[tuple[_Column, ...]] = []
    at = 0
    for block in head.blocks:
        columns = [
            _Column(heading.column, edges[at + i], edges[at + i + 1])
            for i, heading in enumerate(block)
        ]
        blocks.append(tuple(columns))
        at += len(block)
    return _Grid(tuple(blocks), 0.0, {})


_STEPS = 240
"""Places between two headings at which a line between their columns is tried."""


def _line(left: float, right: float, spans: Sequence[tuple[float, float]]) -> float:
    """Where fewest boxes stand, in the middle of the widest such place."""
    right = max(right, left + 1e-6)
    step = (right - left) / _STEPS
    counts = [0] * (_STEPS + 1)
    for start, end in spans:
        first = max(0, round((start - left) / step))
        last = min(_STEPS, round((end - left) / step))
        for at in range(first, last + 1):
            counts[at] += 1
    least = min(counts)
    best, run = (0, 0), 0
    for at, count in enumerate(counts):
        run = run + 1 if count == least else 0
        if run > best[0]:
            best = (run, at)
    length, end_at = best
    return left + (end_at - (length - 1) / 2) * step


def _cells_of(piece: Piece, grid: _Grid, row: Sequence[Piece]) -> list[tuple[int, Piece, bool]]:
    """(column counted over all blocks, part of the piece, whether it was cut)."""
    edges = grid.edges
    columns = _columns_of(piece, edges)
    whole = [(_majority(piece, columns), piece, False)]
    if columns[0] == columns[-1]:
        return whole
    cuts: list[int] = []
    for column in range(columns[0], columns[-1]):
        cut = _cut(piece, edges[column + 1])
        if cut is not None and (not cuts or cut > cuts[-1]):
            cuts.append(cut)
    parts = []
    for start, end in pairwise([0, *cuts, len(piece.glyphs)]):
        while start < end and piece.glyphs[start].char == " ":
            start += 1
        while end > start and piece.glyphs[end - 1].char == " ":
            end -= 1
        if start < end:
            part = piece.part(start, end)
            parts.append((_majority(part, columns[start:end]), part, True))
    others = {_majority(other, _columns_of(other, edges)) for other in row if other is not piece}
    # Where the neighbour has a box of its own, this one is a cell that stands over its line.
    return whole if len(parts) < 2 or others.intersection(c for c, *_ in parts) else parts


def _columns_of(piece: Piece, edges: Sequence[float]) -> list[int]:
    return [_column_at(edges, (glyph.u0 + glyph.u1) / 2) for glyph in piece.glyphs]


def _column_at(edges: Sequence[float], u: float) -> int:
    return max(0, min(len(edges) - 2, sum(edge <= u for edge in edges) - 1))


def _majority(piece: Piece, columns: Sequence[int]) -> int:
    widths: Counter[int] = Counter()
    for glyph, column in zip(piece.glyphs, columns, strict=True):
        widths[column] += max(1, round((glyph.u1 - glyph.u0) * 1e5))
    return max(widths, key=lambda column: widths[column])


_REACH = 2.0
"""How far from a column's line, in text heights, two cells of one box may part: engines place the
characters of a box only by its width."""


_OVERHANG = 1.2
"""How far a cell may stand over its column's line, in text heights."""


def _cut(piece: Piece, u: float) -> int | None:
    """At which character a box is cut that crosses a column's line; None where it is one cell."""
    best: tuple[float, int] | None = None
    for index, (left, right) in enumerate(pairwise(piece.glyphs), start=1):
        away = abs((left.u1 + right.u0) / 2 - u)
        if away <= _REACH * piece.height and _parts(left, right):
            if best is None or away < best[0]:
                best = (away, index)
    return None if best is None else best[1]


def _parts(left: Glyph, right: Glyph) -> bool:
    """Whether a box may part between two characters: at a space, or where figures meet letters."""
    if left.char == " " or right.char == " " or right.offset - left.offset > 1:
        return True
    return looks_of(left.char) != looks_of(right.char) and "sign" not in (
        looks_of(left.char),
        looks_of(right.char),
    )


def looks_of(text: str) -> str:
    """Of what sort a cell is: figures, Chinese, letters, or signs alone."""
    if _HAN.search(text):
        return "han"
    if any(char.isalpha() for char in text):
        return "letters"
    return "figures" if any(char.isdigit() for char in text) else "sign"


# Rows


_PAIRS = 8
"""Neighbours from which it is told how rows run."""


def _levelled(body: Sequence[Piece], grid: _Grid, size: float) -> list[Piece]:
    """The pieces with their rows made level: what perspective is left is too little to part the lines of
    a paragraph, but a table's cells stand far apart."""
    pieces = list(body)
    for _ in range(_ROUNDS):
        slopes = sorted(_slopes(pieces, grid, size))
        if len(slopes) < _PAIRS:
            return pieces
        half = len(slopes) // 2
        upper, lower = slopes[:half], slopes[half:]
        above, below = (statistics.median(v for v, _ in part) for part in (upper, lower))
        first, last = (statistics.median(slope for _, slope in part) for part in (upper, lower))
        change = (last - first) / max(below - above, size)
        pieces = [
            replace(
                piece,
                glyphs=tuple(
                    replace(g, v=g.v - (first + change * (g.v - above)) * ((g.u0 + g.u1) / 2 - 0.5))
                    for g in piece.glyphs
                ),
            )
            for piece in pieces
        ]
    return pieces


def _slopes(pieces: Sequence[Piece], grid: _Grid, size: float) -> Iterator[tuple[float, float]]:
    """(v, slope) between pieces of one column and the nearest ones of the next."""
    edges = grid.edges
    columns: dict[int, list[Piece]] = {}
    for piece in pieces:
        columns.setdefault(_majority(piece, _columns_of(piece, edges)), []).append(piece)
    for column, own in columns.items():
        for piece in own:
            beside = columns.get(column + 1)
            if not beside:
                continue
            other = min(beside, key=lambda each: abs(each.v - piece.v))
            if abs(other.v - piece.v) < size:
                apart = (other.u0 + other.u1 - piece.u0 - piece.u1) / 2
                if apart > size:
                    yield (piece.v + other.v) / 2, (other.v - piece.v) / apart


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
    wanted: Field, page: PreparedPage, grid: _Grid, body: Sequence[Piece], top: float | None
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
    return read


def _lines(
    level: Iterable[Sequence[Piece]],
    grid: _Grid,
    columns: range,
    block: Sequence[_Column],
    barred: set[int],
) -> Iterator[_Line]:
    for row in level:
        cells: dict[str, list[Piece]] = {}
        cut: set[str] = set()
        inside: list[Piece] = []
        for piece in row:
            for column, part, was_cut in _cells_of(piece, grid, row):
                if column not in columns:
                    continue
                inside.append(part)
                name = block[column - columns.start].name
                if name is not None:
                    cells.setdefault(name, []).append(part)
                    if was_cut:
                        cut.add(name)
        if inside:
            v = statistics.median(piece.v for piece in inside)
            bars = any(piece.glyphs[0].line in barred for piece in inside)
            across = len(row) == 1 and not cut and _is_across(row[0], grid.edges)
            yield _Line(v, cells, cut, join_rows([tuple(inside)]).text, bars, across)


def _is_across(piece: Piece, edges: Sequence[float]) -> bool:
    over = _OVERHANG * piece.height
    return any(piece.u0 + over < u < piece.u1 - over for u in edges)


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
    grid: _Grid,
    block: Sequence[_Column],
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
                read.bottom = line.v
                read.ended = True
                break
            continue
        if _SUBTOTAL.match(line.whole):
            before = line.v
            continue
        if line.barred:
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


def _begins_again(line: _Line, names: Sequence[str], looks: Mapping[str, Counter[str]]) -> bool:
    """Whether a line of the next page is a row, and no head of the page."""
    return len(line.cells) >= enough_columns(len(names)) and _alike(line, looks)


_SEEN = 0.15
"""Share of a column's cells from which what they look like is usual there."""
_FEW_ROWS = 3
"""Rows from which it is known what is usual."""


def _alike(line: _Line, looks: Mapping[str, Counter[str]]) -> bool:
    """Whether most cells of a line look like those of their columns."""
    known = [name for name in line.cells if name in looks]
    strange = sum(
        looks[name][looks_of(join_rows([tuple(line.cells[name])]).text)]
        < _SEEN * looks[name].total()
        for name in known
    )
    return strange * 2 <= len(known) - (len(known) > 1)


def _without_tail(
    lines: list[_Line], before: Mapping[str, Counter[str]]
) -> tuple[list[_Line], bool]:
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
        chosen = None if more else _owner(name, line, above, below, min(pitch or 1.0, _WRAPPED * size))
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

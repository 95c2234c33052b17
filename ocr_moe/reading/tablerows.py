"""Rows of a table: what stands under its columns, line by line.

Rows are what stands level in several columns, or between two level rules; a line that stands in one
column alone goes on with the cell above it, or below.  The table ends at a row of sums, at the label of
another field, at a gap, or where the rows look otherwise than those before.  What stands in a cell over
several rows is each one's.

Pure functions, no pixels.  Coordinates (u, v) as in `ocr_moe.reading.layout`.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from ocr_moe.reading.candidates import PreparedPage, compiled
from ocr_moe.reading.frames import Frame, bands
from ocr_moe.reading.grids import SEEN, Column, Grid, Looks, cells_of, is_across, looks_of
from ocr_moe.reading.headings import enough_columns
from ocr_moe.reading.layout import Glyph, Piece, Row, Text, join_rows, rows_of
from ocr_moe.schema import Field, Kind

_SUM = re.compile(
    r"(?:合\s*计|总\s*计|共\s*计|累\s*计|(?:grand\s*)?total\b|sum\b|somme\b|summe\b)", re.IGNORECASE
)
"""What a row of sums begins with: the table ends there."""
_SUBTOTAL = re.compile(r"(?:小\s*计|sub-?\s*total\b)", re.IGNORECASE)
"""What a row of a part's sums begins with: the table goes on."""
_NO_MORE = re.compile(r"[(（]?\s*(?:此行)?(?:以下|下方)(?:为)?空白")
"""What stands in the row under the last one."""
_NO_LABEL = 6
"""Characters behind such a word beyond which it is the beginning of something else's name."""


@dataclass(frozen=True)
class TableCell:
    """What stands in a cell: characters of a page, in reading order."""

    page: PreparedPage
    lines: tuple[tuple[Piece, ...], ...]
    """Its lines, each of pieces from left to right."""
    cut: bool = False
    """Whether a box was cut to get it out."""
    merged: bool = False
    """Whether it stands over several rows, each of which has it."""
    touches: bool = False
    """Whether a stroke at its end may be the rule beside it."""
    framed: bool = False
    """Whether ruled lines say that it is this cell's text."""
    agreed: bool = True
    """Whether ruled lines and alignment say the same of it."""

    @property
    def text(self) -> Text:
        return join_rows(self.lines)

    @property
    def glyphs(self) -> tuple[Glyph, ...]:
        return tuple(glyph for line in self.lines for piece in line for glyph in piece.glyphs)


TableRow = Mapping[str, TableCell]
"""Column → its cell; columns in which nothing stands are left out."""


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
    band: int | None = None
    """The level rule under which it stands, where such rules part it from its neighbours."""
    parted: bool = False
    """Whether upright rules part its cells."""
    merged: set[str] = field(default_factory=set)
    """Columns in which its cell goes on above or below."""


@dataclass
class ReadRows:
    rows: list[TableRow] = field(default_factory=list)
    sums: list[TableRow] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    bottom: float = 0.0
    pitch: float = 0.0
    ended: bool = False
    """Whether something under the last row says that the table is over."""
    looks: dict[str, Counter[str]] = field(default_factory=dict)

    def placed(self) -> set[tuple[int, int]]:
        """The characters that stand in cells."""
        return {
            (glyph.line, glyph.offset)
            for row in (*self.rows, *self.sums)
            for cell in row.values()
            for glyph in cell.glyphs
        }


@dataclass(frozen=True)
class _Level:
    """What stands level, or between the same two level rules."""

    rows: Sequence[Row]
    band: int | None = None
    parted: bool = False


def _levels(
    body: Sequence[Piece], grid: Grid, frame: Frame | None, top: float | None
) -> list[_Level]:
    """The lines of a table from the top down: by level rules, else by what stands level."""
    if frame is None or len(frame.level) < 2:
        return [_Level([row]) for row in rows_of(body)]
    found = []
    for band, pieces in bands(frame, body):
        rows = rows_of(pieces)
        outside = band < 0 or band == len(frame.levels) - 1
        if outside or (top is not None and frame.levels[band] < top):
            found += [_Level([row]) for row in rows]
        elif _is_one_row(rows, grid):
            parted = frame.parted(*frame.levels[band : band + 2])
            found.append(_Level(rows, band, parted))
        else:
            found += [_Level([row]) for row in rows]
    return found


def _is_one_row(rows: Sequence[Row], grid: Grid) -> bool:
    """Whether what stands between two level rules is one row, of which some cells have several lines:
    figures are not broken over lines."""
    lines: dict[int, int] = {}
    figures: set[int] = set()
    for row in rows:
        columns: dict[int, str] = {}
        for piece in row:
            for column, part, _ in cells_of(piece, grid, row):
                columns.setdefault(column, part.text)
        for column, text in columns.items():
            lines[column] = lines.get(column, 0) + 1
            if looks_of(text) == "figures":
                figures.add(column)
    if figures:
        several = sum(lines[column] > 1 for column in figures)
        return several <= 1 and 2 * several < max(2, len(figures))
    return 2 * sum(count > 1 for count in lines.values()) <= len(lines)


def read_rows(
    wanted: Field,
    page: PreparedPage,
    grid: Grid,
    body: Sequence[Piece],
    top: float | None,
    frame: Frame | None = None,
) -> ReadRows:
    """The rows of every block, block by block; `top` is where the headings stand."""
    read = ReadRows()
    offset = 0
    size = page.layout.height
    barred = {
        label.glyphs[0].line
        for label in page.form.labels
        if label.name is not None and label.name != wanted.name and label.quality >= 0.75
    }
    level = _levels(body, grid, frame, top)
    for block in grid.blocks:
        columns = range(offset, offset + len(block))
        offset += len(block)
        lines = list(_lines(level, grid, columns, block, barred))
        part = _rows_of_block(wanted, page, grid, block, lines, top, size, frame)
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


def _put_in_order(read: ReadRows, name: str) -> None:
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
    levels: Iterable[_Level],
    grid: Grid,
    columns: range,
    block: Sequence[Column],
    barred: set[int],
) -> Iterator[_Line]:
    for level in levels:
        cut: set[str] = set()
        cells: dict[str, list[Piece]] = {}
        inside: list[Piece] = []
        for row in level.rows:
            placed: list[list[Piece]] = [[] for _ in block]
            for piece in row:
                for at, part, was_cut in cells_of(piece, grid, row):
                    if at in columns:
                        placed[at - columns.start].append(part)
                        if was_cut:
                            cut.add(block[at - columns.start].name or "")
            inside += [piece for pieces in placed for piece in pieces]
            if not grid.ruled:
                _spread(placed)
            for column, pieces in zip(block, placed, strict=True):
                if column.name is not None and pieces:
                    cells.setdefault(column.name, []).extend(pieces)
        if inside:
            v = statistics.median(piece.v for piece in inside)
            bars = any(piece.glyphs[0].line in barred for piece in inside)
            [first, *more] = [piece for row in level.rows for piece in row]
            across = not more and not cut and is_across(first, grid.edges)
            text = join_rows(rows_of(inside) if len(level.rows) > 1 else [tuple(inside)]).text
            yield _Line(v, cells, cut, text, bars, across, level.band, level.parted)


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
    frame: Frame | None = None,
) -> ReadRows:
    names = [column.name for column in block if column.name is not None]
    least = enough_columns(len(names)) if len(names) < 3 else 2
    full = [
        line
        for line in lines
        if len(line.cells) >= least or (line.parted and line.cells and not line.across)
    ]
    pitch = _pitch_of([line.v for line in full], size) or grid.pitch
    read = ReadRows(pitch=pitch)
    kept: list[_Line] = []
    before = top
    for line in full:
        if _is_sum(wanted, line):
            if kept or top is not None:
                read.sums.append(_row(page, line, {}))
                read.bottom = line.v  # sums, too, tell where columns stand
                read.ended = True
                break
            continue
        if _SUBTOTAL.match(line.whole):
            before = line.v
            continue
        if line.barred and not _fills(wanted, line, names):
            if kept:
                read.ended = True
                break
            if top is not None:
                continue
        ruled = line.band is not None
        if kept and kept[-1].band is not None and not ruled and not _is_whole(wanted, line, names):
            read.ended = True  # it stands below the last rule
            break
        if kept and before is not None and not ruled and line.v - before > _FAR * pitch:
            read.ended = True
            break
        far = max(_FIRST_FAR * size, _FAR * pitch)
        if not kept and top is not None and not ruled and line.v - top > far:
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
    between = [
        line for line in lines if line.band is None and not any(line is each for each in full)
    ]
    if not read.ended:
        foot = [line for line in between if line.v > kept[-1].v + pitch / 2]
        read.ended = any(line.barred or _is_sum(wanted, line) for line in foot)
    _join(kept, between, pitch, size, read)
    looks = looks_by_column(kept)
    if frame is not None and grid.ruled:
        _go_down(wanted, frame, block, kept)
    edges = _ends(kept, block) if grid.ruled else {}
    read.rows = [_row(page, line, edges) for line in kept]
    filled = [
        line.v
        for line in lines
        if line.across or _SUBTOTAL.match(line.whole) or not _alike(line, looks)
    ]
    read.gaps = [
        index
        for index, (one, other) in enumerate(pairwise(kept), start=1)
        if _has_room(one, other, pitch) and not any(one.v < v < other.v for v in filled)
    ]
    read.bottom = max(read.bottom, kept[-1].v)
    read.looks = looks
    return read


def _fills(wanted: Field, line: _Line, names: Sequence[str]) -> bool:
    """Whether a line has all that a row must have."""
    needed = {column.name for column in wanted.columns if column.required}.intersection(names)
    return needed <= line.cells.keys()


def _has_room(one: _Line, other: _Line, pitch: float) -> bool:
    """Whether a row may stand between two."""
    if one.band is not None and other.band is not None:
        return other.band - one.band > 1
    return other.v - one.v > _ROOM * pitch


_OWN = 0.3
"""How far from the middle of its row, in parts of its height, a cell's text stands."""


def _go_down(wanted: Field, frame: Frame, block: Sequence[Column], lines: Sequence[_Line]) -> None:
    """Give what stands in a cell over several rows to each of them; to the first alone where the column
    is summed or tells rows apart."""
    once = {total.column for total in wanted.totals} | {wanted.key}
    once |= {column.name for column in wanted.columns if column.kind is Kind.MONEY}
    for column in block:
        if column.name is None:
            continue
        groups: list[list[_Line]] = []
        for line in lines:
            above = groups[-1][-1] if groups else None
            if (
                above is not None
                and line.band is not None
                and above.band == line.band - 1
                and not frame.crosses(line.band, column.left, column.right)
            ):
                groups[-1].append(line)
            else:
                groups.append([line])
        for group in groups:
            pieces = [piece for line in group for piece in line.cells.get(column.name, ())]
            if len(group) < 2 or not pieces or _each_its_own(column.name, group, frame):
                continue
            for at, line in enumerate(group):
                if at and column.name in once:
                    line.cells.pop(column.name, None)
                    continue
                line.cells[column.name] = list(pieces)
                line.merged.add(column.name)


def _each_its_own(name: str, group: Sequence[_Line], frame: Frame) -> bool:
    """Whether several rows have a text in their own middle: then the rule between them was not seen."""
    own = 0
    for line in group:
        if line.band is None or name not in line.cells:
            continue
        top, bottom = frame.levels[line.band : line.band + 2]
        middle = statistics.mean(piece.v for piece in line.cells[name])
        own += abs(middle - (top + bottom) / 2) <= _OWN * (bottom - top)
    return own > 1


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
    if _NO_MORE.match(text):
        return True
    match = _SUM.match(text)
    if match is not None:
        word = re.match(r"[^\d:：¥￥]*", text[match.end() :])
        if word is None or len(word.group().strip()) <= _NO_LABEL:
            return True
    return any(text.startswith(stop) for stop in wanted.stops)


_STROKES = frozenset("1lI|丨!")
"""What an upright rule is read as."""
_AT = 0.05
"""How far from a rule it stands, in text heights, wherever others do."""
_PADDED = 1.0
"""How far from the rule behind them texts end that end beside it."""
_NEARER = 0.25
"""How much nearer a rule than those of its column, in text heights, such a character stands."""


def _ends(
    lines: Sequence[_Line], block: Sequence[Column]
) -> dict[str, tuple[float, float, float, float]]:
    """Column → its rules to the left and right, and how far from them its texts usually begin and end,
    in text heights."""
    ends = {}
    for column in block:
        pieces = [piece for line in lines for piece in line.cells.get(column.name or "", ())]
        if column.name is not None and pieces:
            begins = statistics.median((p.u0 - column.left) / p.height for p in pieces)
            stops = statistics.median((column.right - p.u1) / p.height for p in pieces)
            ends[column.name] = (column.left, column.right, begins, stops)
    return ends


def _row(
    page: PreparedPage, line: _Line, edges: Mapping[str, tuple[float, float, float, float]]
) -> TableRow:
    return {
        name: TableCell(
            page,
            _in_lines(pieces),
            name in line.cut,
            name in line.merged,
            touches=name in edges and _touches(pieces, edges[name]),
        )
        for name, pieces in line.cells.items()
    }


def _touches(pieces: Sequence[Piece], edges: tuple[float, float, float, float]) -> bool:
    """Whether a stroke at an end of a cell may be the rule beside it."""
    left, right, begins, stops = edges
    for piece in pieces:
        start, end = (piece.u0 - left) / piece.height, (right - piece.u1) / piece.height
        if piece.text[0] in _STROKES and start < max(begins - _NEARER, _AT):
            return True
        if piece.text[-1] in _STROKES and end < max(min(stops, _PADDED) - _NEARER, _AT):
            return True
    return False


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
    rows: Sequence[_Line], others: Iterable[_Line], pitch: float, size: float, read: ReadRows
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

"""The columns of a table on a page: where they stand, and which text is in which.

Columns are told from the headings and from the boxes under them: between two headings a line runs
down where the fewest boxes are.  A box that crosses it is cut there, if it holds two cells.  What
perspective leaves of a photographed page is taken out first, for a table's cells stand too far apart
to be told level or one under the other by their neighbours alone.

Pure functions, no pixels.  Coordinates (u, v) as in `ocr_moe.reading.layout`.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ocr_moe.folds import HAN
from ocr_moe.reading.headings import HeadingRow
from ocr_moe.reading.layout import Glyph, Piece

SEEN = 0.15
"""Share of a column's cells from which what they look like is usual there."""

Looks = Mapping[str, Counter[str]]
"""Column → of what looks its cells are (see `looks_of`)."""


@dataclass(frozen=True)
class Column:
    name: str | None
    left: float
    right: float


@dataclass(frozen=True)
class Grid:
    """Columns of a part of a table, from left to right, in blocks side by side."""

    blocks: tuple[tuple[Column, ...], ...]
    pitch: float
    """Distance between its rows."""
    looks: Looks
    """Column → of what looks its cells were."""
    ruled: bool = False
    """Whether ruled lines part its columns."""

    @property
    def edges(self) -> list[float]:
        columns = [column for block in self.blocks for column in block]
        return [columns[0].left, *(column.right for column in columns)]


_SHIFT = 0.08
"""How far, in page widths, a table may stand further left or right on the next page …"""
_SCALE = 0.08
"""… and by which share it may be wider or narrower there, on another photograph."""
_TRIES = (8, 4)
"""Shifts and scales that are tried on either side."""


def shifted(grid: Grid, pieces: Sequence[Piece]) -> Grid:
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
            count += usual is not None and usual[looks] < SEEN * usual.total()
        return count

    return _moved(grid, min(moves, key=unfit))


def _moved(grid: Grid, move: tuple[float, float]) -> Grid:
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


_LEANING = 0.16
"""How far columns lean at most, in parts of their height: what perspective leaves of a tilted page."""
_TRIED = 40
"""Leanings that are tried on either side of upright."""
_STRAIGHTER = 1.15
"""How much better edges must stand under one another for a page to be taken for leaning."""
_COLUMN_BOXES = 12
"""Boxes in half of a table from which it is told how its columns lean."""


def upright(body: Sequence[Piece], level: float, size: float) -> list[Piece]:
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


def grid_of(head: HeadingRow, body: Sequence[Piece], rules: Sequence[float] = ()) -> Grid:
    """The columns under a row of headings, as the boxes there show them, and the upright rules."""
    ruled = _ruled(head, rules)
    if ruled is not None:
        return ruled
    headings = head.headings
    spans = [(piece.u0, piece.u1) for piece in body]
    between = [_line(left.u1, right.u0, spans) for left, right in pairwise(headings)]
    edges = [-1.0, *between, 2.0]
    blocks: list[tuple[Column, ...]] = []
    at = 0
    for block in head.blocks:
        columns = [
            Column(heading.column, edges[at + i], edges[at + i + 1])
            for i, heading in enumerate(block)
        ]
        blocks.append(tuple(columns))
        at += len(block)
    aside = _aside(headings[0].u0, edges[1], body)
    if aside is not None:
        first = blocks[0][0]
        blocks[0] = (Column(None, -1.0, aside), replace(first, left=aside), *blocks[0][1:])
    return Grid(tuple(blocks), 0.0, {})


def _ruled(head: HeadingRow, rules: Sequence[float]) -> Grid | None:
    """The columns between upright rules; None where two of the headings stand between the same two."""
    edges = [-1.0, *sorted(rules), 2.0]
    heads: dict[int, str | None] = {}
    starts = set()
    for block in head.blocks:
        for first, heading in enumerate(block):
            at = _column_at(edges, heading.middle)
            if at in heads and (heading.column is not None and heads[at] is not None):
                return None
            heads[at] = heads.get(at) or heading.column
            if not first:
                starts.add(at)
    if len(edges) < 4:
        return None
    blocks: list[list[Column]] = [[]]
    for at, (left, right) in enumerate(pairwise(edges)):
        if at in starts and any(column.name is not None for column in blocks[-1]):
            blocks.append([])
        blocks[-1].append(Column(heads.get(at), left, right))
    return Grid(tuple(map(tuple, blocks)), 0.0, {}, ruled=True)


_OFTEN = 0.6
"""Share of a column's boxes left of its heading, each beside one under it, that are a column of their
own: row numbers have no heading, or none that was read."""


def _aside(start: float, right: float, body: Sequence[Piece]) -> float | None:
    """Where a column without a heading ends that stands left of the first one; None without one."""
    inside = [piece for piece in body if (piece.u0 + piece.u1) / 2 < right]
    left = [piece for piece in inside if piece.u1 < start - _REACH * piece.height / 4]
    under = [piece for piece in inside if piece.u1 >= start]
    beside = [
        piece
        for piece in left
        if any(abs(other.v - piece.v) < piece.height / 2 and other.u0 > piece.u1 for other in under)
    ]
    if len(beside) < 3 or len(beside) < _OFTEN * len(under):
        return None
    end = max(piece.u1 for piece in beside)
    starts = [piece.u0 for piece in under if piece.u0 > end]
    return (end + min(starts)) / 2 if len(starts) == len(under) else None


_STEPS = 240
"""Places between two headings at which a line between their columns is tried."""


def _line(left: float, right: float, spans: Sequence[tuple[float, float]]) -> float:
    """Where fewest boxes stand, in the middle of the widest such place."""
    if right <= left:
        return (left + right) / 2
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


def cells_of(piece: Piece, grid: Grid, row: Sequence[Piece]) -> list[tuple[int, Piece, bool]]:
    """(column counted over all blocks, part of the piece, whether it was cut)."""
    edges = grid.edges
    columns = _columns_of(piece, edges)
    alone = len(row) == 1
    whole = [(_majority(piece, columns), piece, False)]
    if columns[0] == columns[-1]:
        return whole
    cuts: list[int] = []
    for column in range(columns[0], columns[-1]):
        cut = _cut(piece, edges[column + 1], alone)
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


def _cut(piece: Piece, u: float, alone: bool) -> int | None:
    """At which character a box is cut that crosses a column's line; None where it is one cell.

    One that stands `alone` in its row holds all of it or is none of the table's: a space must part it.
    """
    places = [
        (away, index)
        for index, (left, right) in enumerate(pairwise(piece.glyphs), start=1)
        if (away := abs((left.u1 + right.u0) / 2 - u)) <= _REACH * piece.height
        and (_spaced(left, right) or (not alone and _parts(left, right)))
    ]
    return min(places)[1] if places else None


def _spaced(left: Glyph, right: Glyph) -> bool:
    return left.char == " " or right.char == " " or right.offset - left.offset > 1


def _parts(left: Glyph, right: Glyph) -> bool:
    """Whether figures meet letters between two characters."""
    return looks_of(left.char) != looks_of(right.char) and "sign" not in (
        looks_of(left.char),
        looks_of(right.char),
    )


def looks_of(text: str) -> str:
    """Of what sort a cell is: figures, Chinese, letters, or signs alone."""
    if HAN.search(text):
        return "han"
    if any(char.isalpha() for char in text):
        return "letters"
    return "figures" if any(char.isdigit() for char in text) else "sign"


_PASSES = 2
"""How often the slopes of rows are taken out: at first, wrong boxes may be neighbours."""
_PAIRS = 8
"""Neighbours from which it is told how rows run."""


def levelled(body: Sequence[Piece], grid: Grid, size: float) -> list[Piece]:
    """The pieces with their rows made level: what perspective is left is too little to part the lines of
    a paragraph, but a table's cells stand far apart."""
    pieces = list(body)
    for _ in range(_PASSES):
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


def _slopes(pieces: Sequence[Piece], grid: Grid, size: float) -> Iterator[tuple[float, float]]:
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


def is_across(piece: Piece, edges: Sequence[float]) -> bool:
    over = _OVERHANG * piece.height
    return any(piece.u0 + over < u < piece.u1 - over for u in edges)

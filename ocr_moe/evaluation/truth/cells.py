"""A sheet as text: what its cells say, and what may be wrong with each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Trouble = Literal["", "lost digits", "error value", "formula without a result"]


@dataclass(frozen=True, slots=True)
class RawCell:
    """A cell's text. `trouble` says why it cannot be used; `numeric` that it was a number."""

    text: str | None = None
    trouble: Trouble = ""
    numeric: bool = False
    dated: bool = False
    """Whether it was a date of the spreadsheet, of which the cell's format may show a part."""


BLANK = RawCell()

Row = tuple[int, tuple[RawCell, ...]]
"""Number of the row in the file, counted from 1, and its cells up to the last that is not blank."""


@dataclass(frozen=True, slots=True)
class Table:
    """One sheet. `rows` are those that hold something, in the order of their numbers."""

    name: str
    rows: tuple[Row, ...]
    merged: tuple[tuple[int, int, int], ...] = ()
    """Vertically merged cells: (first row, last row, column counted from 0)."""
    second_choice: bool = False
    """Read by a reader that shows neither errors nor how a date is formatted, nor colours."""
    green: frozenset[tuple[int, int]] = frozenset()
    """(row, column counted from 0) of the cells that are filled with a green."""
    formulas: frozenset[tuple[int, int]] = frozenset()
    """Of those whose text is the result of a formula."""


def trimmed(cells: Iterable[RawCell]) -> tuple[RawCell, ...]:
    """A row's cells without the blank ones at its end."""
    row = list(cells)
    while row and row[-1] == BLANK:
        row.pop()
    return tuple(row)


def filled_down(
    rows: Iterable[Row], areas: Iterable[tuple[int, int, int]]
) -> tuple[tuple[Row, ...], tuple[tuple[int, int, int], ...]]:
    """The rows with the value of each merged area in all of its rows, and the areas that have one.

    `areas` are (first row, last row, column). What overlaps an earlier area of its column is not
    merged: no spreadsheet writes such.
    """
    grid = {number: list(cells) for number, cells in rows}
    numbers = sorted(grid)
    ends: dict[int, int] = {}
    merged = []
    for first, last, column in sorted(areas):
        if last <= first or first <= ends.get(column, 0) or first not in grid:
            continue
        if column >= len(grid[first]):
            continue
        ends[column] = last
        merged.append((first, last, column))
        for number in numbers[bisect_right(numbers, first) : bisect_right(numbers, last)]:
            cells = grid[number]
            cells.extend([BLANK] * (column + 1 - len(cells)))
            cells[column] = grid[first][column]
    return tuple((number, tuple(grid[number])) for number in numbers), tuple(merged)

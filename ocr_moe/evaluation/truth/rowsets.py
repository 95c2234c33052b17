"""Which row of a corrected sheet is which row of the table that was written, and their order.

People insert rows, delete them, copy one and change the copy, and sort the sheet. What cannot be told is
not guessed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Placed:
    """A row of a corrected table."""

    index: int
    """Of the sheet's rows."""
    number: int | None
    """Of the row as it was written, counted from 1; None for one that was inserted."""


class UnclearError(Exception):
    """What cannot be told of a table's rows, and what to do."""


def placed(
    numbers: Sequence[int | None],
    written: Collection[int],
    is_as_written: Callable[[int, int], bool],
) -> list[Placed]:
    """The rows of one document's table in their order; a written row that is not there was deleted.

    `numbers` are what the sheet's rows say of themselves in the column "row", in the order of the sheet,
    `written` those that were written, and `is_as_written` tells of a row of the sheet and a number
    whether it says what was written there. Raises UnclearError.
    """
    number_of = _numbered(numbers, written, is_as_written)
    kept = [number for number in number_of if number is not None]
    rows = [Placed(index, number) for index, number in enumerate(number_of)]
    if kept == sorted(kept):
        return rows
    if len(kept) == len(rows):
        return sorted(rows, key=lambda row: row.number or 0)
    last = max(written)
    # Of a sheet that was sorted, only new rows that are numbered on have a place.
    places = [numbers[row.index] if row.number is None else row.number for row in rows]
    new = [place for row, place in zip(rows, places, strict=True) if row.number is None]
    if any(place is None or place <= last for place in new) or len({*new}) < len(new):
        raise UnclearError(
            "rows were inserted and the sheet is sorted otherwise than it was written, so that their "
            "place cannot be told; sort it by document and row, with new rows where they belong"
        )
    order = sorted(range(len(rows)), key=lambda at: places[at] or 0)
    return [rows[at] for at in order]


def _numbered(
    numbers: Sequence[int | None],
    written: Collection[int],
    is_as_written: Callable[[int, int], bool],
) -> list[int | None]:
    """The number of each row as it was written; None for inserted ones."""
    found: list[int | None] = [number if number in written else None for number in numbers]
    saying: dict[int, list[int]] = defaultdict(list)
    for index, number in enumerate(found):
        if number is not None:
            saying[number].append(index)
    for number, rows in saying.items():
        if len(rows) == 1:
            continue
        # A row was copied and one of the two changed: what still says the same is the row itself.
        same = [index for index in rows if is_as_written(index, number)]
        if len(same) != 1:
            raise UnclearError(
                f"{len(rows)} rows say that they are row {number}, and which of them is new cannot be "
                "told; empty the column of row numbers in those that you inserted"
            )
        for index in rows:
            if index != same[0]:
                found[index] = None
    missing = [number for number in written if number not in found]
    for index, number in enumerate(found):
        if number is None and missing:
            # Its number went astray, as where a column was sorted by itself.
            like = [each for each in missing if is_as_written(index, each)]
            if len(like) == 1:
                found[index] = like[0]
                missing.remove(like[0])
    return found

"""Tables as values: rows of texts, and the one JSON text that stands for them.

A table travels as any other value does, through votes, judgements and the store, as a text: a JSON
list with an object a row, columns in the schema's order, cells without a value left out. Equal tables
are equal texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from ocr_moe.schema import Field

TableRow = Mapping[str, str | None]
"""Column → value."""
_NUMBER = re.compile(r"[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")


def table_text(rows: Iterable[TableRow]) -> str | None:
    """The rows as the text that stands for them; None where no cell has a value."""
    kept = [{name: value for name, value in row.items() if value is not None} for row in rows]
    if not any(kept):
        return None
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def table_rows(text: str | None) -> list[dict[str, str]]:
    """The rows of such a text; none where it is none."""
    try:
        data = json.loads(text or "[]")
    except ValueError:
        return []
    if not isinstance(data, list):
        return []
    return [
        {str(name): str(value) for name, value in row.items() if value is not None}
        for row in data
        if isinstance(row, dict)
    ]


def parse_table(field: Field, text: str, parse: Callable[[Field, str], str | None]) -> str | None:
    """A table's text with every cell as its column writes it down; `parse` does that for a cell."""
    rows = []
    for row in table_rows(text):
        cells = named_cells(field, row)
        rows.append(
            {
                column.name: parse(column, cells[column.name])
                for column in field.columns
                if column.name in cells
            }
        )
    return table_text(row for row in rows if any(value is not None for value in row.values()))


def named_cells(field: Field, row: Mapping[str, str]) -> dict[str, str]:
    """Column → what a row says under its name, or under another heading of it."""
    found: dict[str, str] = {}
    for column in field.columns:
        for name in (column.name, *column.aliases, *column.labels):
            if name in row:
                found[column.name] = row[name]
                break
    return found


def number_in(text: str | None) -> Decimal | None:
    """The first number of a text, such as 1,200.50 of ¥1,200.50; None where there is none."""
    match = _NUMBER.search(text or "")
    if match is None:
        return None
    try:
        return Decimal(match.group().replace(",", "").replace("−", "-"))
    except InvalidOperation:
        return None


def summed(values: Iterable[str | None]) -> Decimal:
    """The sum of the numbers among some values."""
    return sum((number for each in values if (number := number_in(each)) is not None), Decimal(0))


def paired(
    key: str, left: Sequence[TableRow], right: Sequence[TableRow]
) -> list[tuple[int | None, int | None]]:
    """Indices of rows that are the same one: by the key column, else by their order.

    Rows of `left` come in their order, then those of `right` that fit none. Of rows with one key, the
    ones alike in most cells belong together; so do rows that are left over and say the same in most
    of them, for a key may be misread. Without a key, tables of different length are aligned so that
    most cells agree.
    """
    found = _by_key(key, left, right) if key else _by_order(left, right)
    taken = set(found.values())
    pairs: list[tuple[int | None, int | None]] = [(at, found.get(at)) for at in range(len(left))]
    return [*pairs, *((None, other) for other in range(len(right)) if other not in taken)]


def _by_key(key: str, left: Sequence[TableRow], right: Sequence[TableRow]) -> dict[int, int]:
    found: dict[int, int] = {}
    free = set(range(len(right)))
    for at, row in enumerate(left):
        alike = [other for other in free if row.get(key) and right[other].get(key) == row[key]]
        if alike:
            found[at] = max(alike, key=lambda other: (_agreeing(row, right[other]), -other))
            free.discard(found[at])
    for at, row in enumerate(left):
        if at not in found and free:
            best = max(free, key=lambda other: (_agreeing(row, right[other]), -abs(other - at)))
            if 2 * _agreeing(row, right[best]) > len(row) - 1:
                found[at] = best
                free.discard(best)
    return found


def _by_order(left: Sequence[TableRow], right: Sequence[TableRow]) -> dict[int, int]:
    if len(left) == len(right):
        return {at: at for at in range(len(left))}
    # The alignment with most agreeing cells (Needleman and Wunsch, 1970); a gap costs nothing.
    best = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    alike = [[_agreeing(row, other) for other in right] for row in left]
    for i in range(1, len(left) + 1):
        for j in range(1, len(right) + 1):
            best[i][j] = max(
                best[i - 1][j - 1] + alike[i - 1][j - 1], best[i - 1][j], best[i][j - 1]
            )
    found: dict[int, int] = {}
    i, j = len(left), len(right)
    while i and j:
        if alike[i - 1][j - 1] and best[i][j] == best[i - 1][j - 1] + alike[i - 1][j - 1]:
            i, j = i - 1, j - 1
            found[i] = j
        elif best[i][j] == best[i - 1][j]:
            i -= 1
        else:
            j -= 1
    return found


def _agreeing(one: TableRow, other: TableRow) -> int:
    return sum(value is not None and other.get(name) == value for name, value in one.items())

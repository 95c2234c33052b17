"""Which cells are worth a look, and in which order they come."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from ocr_moe.subjects import DocumentKey


class CellKey(NamedTuple):
    """A cell of the sheet: a field of a document."""

    document: DocumentKey
    field: str


class Order(StrEnum):
    """How a reviewer goes through the cells."""

    DOUBT = "doubt"
    """The most doubtful first."""
    DOCUMENT = "document"
    """Document by document."""
    FIELD = "field"
    """Field by field: all numbers in a row are checked fastest."""


class Waiting(NamedTuple):
    """A cell that is worth a look, with what it is ordered by."""

    key: CellKey
    schema: str
    rank: int
    """The field's place in its schema."""
    confidence: float


_ORDERS: dict[Order, Callable[[Waiting], tuple[Any, ...]]] = {
    Order.DOUBT: lambda cell: (cell.confidence, cell.key),
    Order.DOCUMENT: lambda cell: (cell.key.document, cell.rank),
    Order.FIELD: lambda cell: (cell.schema, cell.rank, cell.key.document),
}


class Queue:
    """The cells that wait for a look, in every order at once. Not to be shared between threads."""

    def __init__(self) -> None:
        self._cells: dict[CellKey, Waiting] = {}
        self._of_documents: Counter[DocumentKey] = Counter()
        self._of_fields: Counter[tuple[str, str]] = Counter()
        self._sorted: dict[Order, list[tuple[tuple[Any, ...], CellKey]]] = {
            order: [] for order in Order
        }

    def __len__(self) -> int:
        return len(self._cells)

    def __contains__(self, key: CellKey) -> bool:
        return key in self._cells

    def of_document(self, document: DocumentKey) -> int:
        """How many cells of a document wait."""
        return self._of_documents[document]

    @property
    def of_fields(self) -> Counter[tuple[str, str]]:
        """(schema, field) → how many of its cells wait."""
        return +self._of_fields

    def fill(self, cells: list[Waiting]) -> None:
        """Take many cells at once, in place of those before."""
        self._cells = {cell.key: cell for cell in cells}
        self._of_documents = Counter(cell.key.document for cell in self._cells.values())
        self._of_fields = Counter((cell.schema, cell.key.field) for cell in self._cells.values())
        for order, by in _ORDERS.items():
            self._sorted[order] = sorted((by(cell), cell.key) for cell in cells)

    def put(self, cell: Waiting) -> None:
        """Take a cell, or take it anew."""
        self.drop(cell.key)
        self._cells[cell.key] = cell
        self._of_documents[cell.key.document] += 1
        self._of_fields[cell.schema, cell.key.field] += 1
        for order, by in _ORDERS.items():
            insort(self._sorted[order], (by(cell), cell.key))

    def drop(self, key: CellKey) -> None:
        """Let go of a cell, if it is there."""
        cell = self._cells.pop(key, None)
        if cell is not None:
            self._of_documents[key.document] -= 1
            if not self._of_documents[key.document]:
                del self._of_documents[key.document]
            self._of_fields[cell.schema, key.field] -= 1
            for order, by in _ORDERS.items():
                del self._sorted[order][bisect_left(self._sorted[order], (by(cell), key))]

    def cells(self, order: Order, *, after: Waiting | None = None) -> Iterator[Waiting]:
        """All cells in an order; with `after`, those behind that place first, then the others."""
        ordered = self._sorted[order]
        start = 0
        if after is not None:
            start = bisect_left(ordered, (_ORDERS[order](after), after.key))
            if start < len(ordered) and ordered[start][1] == after.key:
                start += 1
        for at in (*range(start, len(ordered)), *range(start)):
            yield self._cells[ordered[at][1]]

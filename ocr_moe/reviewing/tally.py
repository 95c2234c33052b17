"""What a desk keeps of every document in memory, and the run in numbers, kept as documents change."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from ocr_moe.types import Decision, DocumentRef, Record, Status


@dataclass(slots=True)
class KeptDocument:
    """What is kept of a document."""

    ref: DocumentRef
    schema: str
    error: str | None
    blank: bool
    set_aside: str | None
    conflicts: int
    statuses: dict[str, tuple[Status, float]]
    """Field → (status, confidence, or 0 where there is none)."""
    verified: int
    """Fields with a person's word."""


class Tally:
    """Documents and cells counted, of those that were added and not removed."""

    def __init__(self) -> None:
        self.documents = 0
        """Without blank pages."""
        self.blank = 0
        self.set_aside = 0
        self.failed = 0
        self._cells: Counter[tuple[str, str, Status]] = Counter()

    @property
    def cells(self) -> dict[tuple[str, str, Status], int]:
        """(schema, field, status) → how many cells have it, of those that any has."""
        return +self._cells

    def add(self, document: KeptDocument) -> None:
        self._count(document, 1)

    def remove(self, document: KeptDocument) -> None:
        self._count(document, -1)

    def _count(self, document: KeptDocument, one: int) -> None:
        self.documents += one * (not document.blank)
        self.blank += one * document.blank
        self.set_aside += one * (document.set_aside is not None)
        self.failed += one * (document.error is not None)
        cells, schema = self._cells, document.schema
        for name, (status, _) in document.statuses.items():
            cells[schema, name, status] += one


def kept(record: Record) -> KeptDocument:
    """What is kept of a record."""
    statuses = {name: state_of(decision) for name, decision in record.fields.items()}
    return KeptDocument(
        ref=record.document,
        schema=record.schema_name or "",
        error=None if record.error is None else record.error.message,
        blank=record.blank,
        set_aside=record.set_aside,
        conflicts=len(record.conflicts),
        statuses=statuses,
        verified=sum(status is Status.VERIFIED for status, _ in statuses.values()),
    )


def state_of(decision: Decision) -> tuple[Status, float]:
    """(status, confidence, or 0 where there is none)."""
    return decision.status, decision.confidence or 0.0

"""What a reviewer is shown of a run: cells, documents, the run in numbers, what a word changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ocr_moe.reviewing.candidates import Candidate
from ocr_moe.reviewing.queue import CellKey
from ocr_moe.schema import Field, Schema
from ocr_moe.store.database import Judged
from ocr_moe.subjects import DocumentKey
from ocr_moe.types import Decision, DocumentRef, Status


@dataclass(frozen=True)
class CellView:
    """A cell as a reviewer sees it."""

    key: CellKey
    document: DocumentRef
    schema: Schema
    field: Field
    decision: Decision
    """As it stands; of a hidden one, what may be seen: nothing of the value."""
    hidden: bool
    """Whether the value is kept from the reviewer, so that their word says something of it."""
    candidates: tuple[Candidate, ...]
    judgements: tuple[Judged, ...]
    """What people said of it, in the order in which they did."""
    revision: int
    """To be handed back with a decision: it tells whether somebody else decided meanwhile."""


@dataclass(frozen=True)
class CellSummary:
    """A cell in a list."""

    key: CellKey
    value: str | None
    status: Status
    confidence: float | None
    waiting: bool
    hidden: bool = False
    """Whether the value is kept back because the cell is to be judged blind."""


class DocumentSummary(NamedTuple):
    """A document in a list."""

    key: DocumentKey
    ref: DocumentRef
    schema: str
    """Empty where none was recognised."""
    error: str | None
    """Why it could not be processed."""
    set_aside: str | None
    """Who said that it is of no kind that the run knows."""
    cells: int
    waiting: int
    """Cells that wait for a look."""
    verified: int
    conflicts: int


@dataclass(frozen=True)
class Change:
    """What a judgement made of a cell."""

    key: CellKey
    before: Decision
    after: Decision


@dataclass(frozen=True)
class Outcome:
    """What came of a judgement."""

    judgement: int
    """Its id."""
    changes: tuple[Change, ...]
    """The cells that it changed, the judged one first."""


@dataclass(frozen=True)
class Overview:
    """A run in numbers."""

    documents: int
    blank: int
    failed: int
    """Documents that could not be processed at all."""
    set_aside: int
    """Documents that people say are of no kind that the run knows."""
    rereading: int
    """Files that are being read again, or wait for that."""
    cells: int
    waiting: int
    verified: int
    accepted: int
    """Accepted or absent, and not verified."""
    fields: Mapping[tuple[str, str], Counter[str]] = field(default_factory=dict)
    """(schema, field) → counts by status, and `waiting`."""
    disputed: int = 0

"""How a run goes and went, in numbers and sentences."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ocr_moe.observing import Observation
from ocr_moe.types import Record


@dataclass(frozen=True)
class Progress:
    """One more file is done."""

    done: int
    total: int
    path: str
    failure: str | None
    sha256: str = ""
    """Of its bytes; empty where they cannot be read."""
    observations: tuple[Observation, ...] = ()
    """What was counted while it was read; of files of one content the first one's has all."""
    requests: tuple[int, int] | None = None
    """How many requests to language models are under way, and how many wait to be; None where the run
    has no worker processes."""


class Notice(StrEnum):
    """What a run tells once, besides its progress."""

    LOADING = "loading"
    """The first page is about to be read, for which models are loaded."""


@dataclass(frozen=True)
class ToCheck:
    """What a person should look at among the records of one strategy."""

    cells: int
    """Abstained or failed."""
    documents: int
    """That have such cells."""
    failed_cells: int
    """How many of `cells` failed."""
    failed_documents: int
    """That could not be processed at all; their cells are not counted."""
    contradicting: int = 0
    """Documents that contradict others or the names of their files."""


@dataclass
class Outcome:
    """How a run went."""

    files: int = 0
    documents: int = 0
    failed: int = 0
    """Documents that failed, or have a failed field, under any strategy."""
    resumed: int = 0
    """Files that an earlier start had finished."""
    blank: int = 0
    """Blank pages; `documents` does not count them."""
    asked: int = 0
    """Questions put to experts in this start."""
    stopped: str | None = None
    """Why the run ended before its end, if it did."""
    failures: list[str] = field(default_factory=list)
    """A sentence on each document that failed or has a failed field; it begins with the path."""
    to_check: ToCheck | None = None
    """None where there are several strategies."""


def why_failed(record: Record) -> str:
    """Why a record failed or has a failed field, without the path of its document."""
    if record.error is not None:
        return record.error.message.removeprefix(f"{record.document.path}: ")
    for name, decision in record.fields.items():
        if decision.status == "failed":
            return f"{name}: {'; '.join(decision.notes) or 'no expert could answer'}"
    return ""

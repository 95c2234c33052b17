"""How a run goes and went, in numbers and sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock

from ocr_moe.observing import Observation
from ocr_moe.store.database import Store
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


class Teller:
    """Counts the files that are done, and tells of each. Safe to share between threads."""

    def __init__(
        self,
        report: Callable[[Progress], None],
        done: int,
        total: int,
        requests: Callable[[], tuple[int, int] | None] = lambda: None,
    ) -> None:
        """`requests` says how many are under way and how many wait to be."""
        self._report = report
        self._requests = requests
        self._lock = Lock()
        self.done = done
        self.total = total

    def note(
        self,
        path: str,
        failure: str | None,
        *,
        sha256: str = "",
        observations: Iterable[Observation] = (),
    ) -> None:
        with self._lock:
            self.done += 1
            self._report(
                Progress(
                    *(self.done, self.total, path, failure),
                    sha256=sha256,
                    observations=tuple(observations),
                    requests=self._requests(),
                )
            )


class Notice(StrEnum):
    """What a run tells once, besides its progress."""

    LOADING = "loading"
    """The first page is about to be read, for which models are loaded."""
    BATCH = "batch"
    """Questions are in batches of their endpoints, which are waited for."""


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


def count_documents(outcome: Outcome, store: Store, strategies: Sequence[str]) -> None:
    """Note what a store holds under some strategies, and what failed of it."""
    outcome.blank = store.count_documents(strategies, blank=True)
    outcome.documents = store.count_documents(strategies) - outcome.blank
    outcome.failures = list(
        {
            (record.document.path, record.document.page, record.document.part): (
                f"{record.document.path}: {why_failed(record)}"
            )
            for record in store.failed_records(strategies)
        }.values()
    )
    outcome.failed = len(outcome.failures)

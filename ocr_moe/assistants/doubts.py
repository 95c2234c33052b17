"""Doubtful cells of a run, with all that was read for them, as plain data."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator

from pydantic import BaseModel

from ocr_moe.store.database import Store
from ocr_moe.types import Decision, Record, Recorded, Status

MAX_TEXT = 1000
"""Characters of a text that is handed on: longer ones are no field's value."""
_CANDIDATES = 6
_DOUBTFUL = frozenset({Status.ABSTAINED, Status.FAILED})


class Candidate(BaseModel):
    """What some expert read for a field."""

    value: str
    experts: list[str]
    score: float | None
    """The best of their own, uncalibrated scores (0-1)."""


class Cell(BaseModel):
    """A cell that a person should look at."""

    document: str
    """Path of the file, relative to what was read."""
    page: int
    part: int
    """Which of the documents on the page."""
    kind: str | None
    """The schema."""
    field: str
    value: str | None
    """The best guess, if there is one."""
    status: str
    confidence: float | None
    candidates: list[Candidate]
    """What was read, the best first."""
    notes: list[str]


def doubtful(store: Store, strategy: str, n: int) -> tuple[int, list[Cell]]:
    """How many cells a person should look at, and the `n` most doubtful of them."""
    total = 0

    def all_of_them() -> Iterator[tuple[float, int, Record, str, Decision]]:
        nonlocal total
        for record in store.records(strategy):
            for name, decision in record.fields.items():
                if decision.status in _DOUBTFUL:
                    total += 1
                    yield decision.confidence or 0.0, total, record, name, decision

    worst = heapq.nsmallest(n, all_of_them(), key=lambda found: found[:2])
    return total, [_cell(store, record, name, cell) for _, _, record, name, cell in worst]


def _cell(store: Store, record: Record, name: str, decision: Decision) -> Cell:
    place = record.document
    answers = store.answers(place.sha256, place.page, place.region)
    return Cell(
        document=cut(place.path),
        page=place.page,
        part=place.part,
        kind=record.schema_name,
        field=name,
        value=None if decision.value is None else cut(decision.value),
        status=decision.status,
        confidence=None if decision.confidence is None else round(decision.confidence, 4),
        candidates=_candidates(answers, name),
        notes=[cut(note) for note in decision.notes],
    )


def _candidates(answers: Iterable[Recorded], field: str) -> list[Candidate]:
    found: dict[str, Candidate] = {}
    for recorded in answers:
        for reading in recorded.answer.readings:
            if reading.field != field:
                continue
            values = [(each.value, math.exp(each.logprob)) for each in reading.alternatives]
            if reading.value is not None:
                values.append((reading.value, reading.score))  # type: ignore[arg-type]
            for value, score in values:
                _add(found, value, recorded.expert, score)
    by_score = sorted(found.values(), key=lambda each: (-(each.score or 0.0), each.value))
    return by_score[:_CANDIDATES]


def _add(found: dict[str, Candidate], value: str, expert: str, score: float | None) -> None:
    candidate = found.setdefault(value, Candidate(value=cut(value), experts=[], score=None))
    if expert not in candidate.experts:
        candidate.experts.append(expert)
    if score is not None:
        candidate.score = round(max(score, candidate.score or 0.0), 4)


def cut(text: str) -> str:
    """A text that is handed on, shortened where it is too long."""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text)} characters)"

"""Doubtful cells of a run, with all that was read for them, as plain data."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from pydantic import BaseModel

from ocr_moe.exports.sources import AnswersOf
from ocr_moe.reviewing.candidates import candidates_of
from ocr_moe.run.exporting import exported, schemas_of
from ocr_moe.schema import Field
from ocr_moe.store.database import Store
from ocr_moe.types import DOUBTFUL, Decision, Record

MAX_TEXT = 1000
"""Characters of a text that is handed on: longer ones are no field's value."""


class Candidate(BaseModel):
    """What was read for a field, or said of it."""

    value: str
    experts: list[str]
    score: float | None
    """The best of the experts' own, uncalibrated scores (0-1)."""


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
                if decision.status in DOUBTFUL:
                    total += 1
                    yield decision.confidence or 0.0, total, record, name, decision

    worst = heapq.nsmallest(n, all_of_them(), key=lambda found: found[:2])
    fields = {
        (schema.name, field.name): field for schema in schemas_of(store) for field in schema.fields
    }
    answers_of = exported(store, strategy).answers
    return total, [
        _cell(record, name, decision, fields.get((record.schema_name or "", name)), answers_of)
        for _, _, record, name, decision in worst
    ]


def _cell(
    record: Record, name: str, decision: Decision, field: Field | None, answers_of: AnswersOf
) -> Cell:
    place = record.document
    readings = {
        expert: reading
        for expert, answers in answers_of(record).items()
        for answer in answers
        for reading in answer.readings
        if reading.field == name
    }
    offered = [] if field is None else candidates_of(field, decision, readings, (), None, None)
    return Cell(
        document=cut(place.path),
        page=place.page,
        part=place.part,
        kind=record.schema_name,
        field=name,
        value=None if decision.value is None else cut(decision.value),
        status=decision.status,
        confidence=None if decision.confidence is None else round(decision.confidence, 4),
        candidates=[
            Candidate(
                value=cut(each.value),
                experts=list(each.experts),
                score=None if each.chance is None else round(each.chance, 4),
            )
            for each in offered
        ],
        notes=[cut(note) for note in decision.notes],
    )


def cut(text: str) -> str:
    """A text that is handed on, shortened where it is too long."""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text)} characters)"

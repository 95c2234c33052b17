"""Cells as a reviewer is to see them: what is offered for each, and what is kept from whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from ocr_moe.errors import OcrMoeError
from ocr_moe.protocols import State
from ocr_moe.reviewing.candidates import Candidate, candidates_of
from ocr_moe.reviewing.progress import Progress
from ocr_moe.reviewing.queue import CellKey
from ocr_moe.reviewing.standing import Standing
from ocr_moe.reviewing.views import CellSummary, CellView
from ocr_moe.routing.loop import Strategy
from ocr_moe.run.answers import NotRecordedError
from ocr_moe.run.exporting import exported
from ocr_moe.run.judging import Judging
from ocr_moe.run.settling import content_of
from ocr_moe.schema import Field, Schema
from ocr_moe.store.database import Store
from ocr_moe.subjects import DocumentKey
from ocr_moe.types import Decision, Judgement, JudgementKind, Reading, Record


class Showing:
    """Shows the cells of a run. Not for several threads at once."""

    def __init__(
        self,
        store: Store,
        strategy: Strategy,
        schemas: Sequence[Schema],
        judging: Judging,
        standing: Standing,
        progress: Progress,
    ) -> None:
        self._store = store
        self._strategy = strategy.name
        self._combiner = strategy.combiner
        self._schemas = {schema.name: schema for schema in schemas}
        self._judging = judging
        self._standing = standing
        self._progress = progress
        self._answers = exported(store, strategy.name).answers

    def view(self, key: CellKey, reviewer: str, *, offer: bool = True) -> CellView:
        """A cell as the reviewer is to see it. Raises KeyError where there is none.

        Without `offer` it has no candidates: listing them replays how the document was routed.
        """
        record = self._store.record(self._strategy, key.document)
        if record is None or key.field not in record.fields:
            raise KeyError(key)
        schema = self._schemas[record.schema_name or ""]
        declared = schema.field(key.field)
        found = self._store.judgements_on(*content_of(record.document))
        judged = [
            each
            for each in found
            if each.judgement.kind is JudgementKind.VALUE and each.judgement.field == key.field
        ]
        decision = record.fields[key.field]
        hidden = self._progress.is_hidden(key)
        given = [each.judgement for each in judged if not each.undone]
        if self._standing.is_second_look(key, reviewer):
            # As the first reviewer saw it: a word given in knowledge of another is no second one.
            alone = self._store.record(self._strategy, key.document, alone=True)
            decision = decision if alone is None else alone.fields.get(key.field, decision)
            given, judged = [], []
        candidates: tuple[Candidate, ...] = ()
        if offer and not hidden:
            candidates = self._candidates(record, declared, decision, given)
        if hidden:
            decision = Decision(status=decision.status, evidence=decision.evidence)
        return CellView(
            key=key,
            document=record.document,
            schema=schema,
            field=declared,
            decision=decision,
            hidden=hidden,
            candidates=candidates,
            judgements=tuple(judged),
            revision=found[-1].id if found else 0,
        )

    def summary(self, key: CellKey) -> CellSummary:
        """A cell of a list."""
        record = self._store.record(self._strategy, key.document)
        assert record is not None
        decision = record.fields[key.field]
        hidden = self._progress.is_hidden(key)
        return CellSummary(
            key,
            None if hidden else decision.value,
            decision.status,
            None if hidden else decision.confidence,
            self._standing.waits(key),
            hidden,
        )

    def summaries(self, key: DocumentKey, reviewer: str | None) -> list[CellSummary]:
        """All cells of a document; what the reviewer is to judge without knowing another's word stands
        as the run read it. Raises KeyError."""
        cells = [self.summary(CellKey(key, name)) for name in self._standing.fields(key)]
        hidden = [
            reviewer is not None and self._standing.is_second_look(cell.key, reviewer)
            for cell in cells
        ]
        alone = self._store.record(self._strategy, key, alone=True) if any(hidden) else None
        if alone is None:
            return cells
        return [
            _as_read(cell, alone.fields[cell.key.field]) if second else cell
            for cell, second in zip(cells, hidden, strict=True)
        ]

    def _candidates(
        self,
        record: Record,
        declared: Field,
        decision: Decision,
        judgements: Sequence[Judgement],
    ) -> tuple[Candidate, ...]:
        readings: Mapping[str, Reading] = {}
        state: State | None = None
        with suppress(NotRecordedError, OcrMoeError):
            states = self._judging.course(record, {}).states
            state = states[-1] if states else None
        if state is not None:
            readings = state.readings.get(declared.name, {})
        else:
            readings = {
                expert: reading
                for expert, answers in self._answers(record).items()
                for answer in answers
                for reading in answer.readings
                if reading.field == declared.name
            }
        return candidates_of(declared, decision, readings, judgements, self._combiner, state)


def _as_read(cell: CellSummary, decision: Decision) -> CellSummary:
    return replace(
        cell, value=decision.value, status=decision.status, confidence=decision.confidence
    )

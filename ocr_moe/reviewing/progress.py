"""How far a review is: every cell as the run left it, and what people made of it, for the plan."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from ocr_moe.judgements import OF_PAGES
from ocr_moe.reviewing.cells import Cell, Check, cells_of, check_of
from ocr_moe.reviewing.planning import Plan, Planner, uncalibrated_fields
from ocr_moe.reviewing.queue import CellKey
from ocr_moe.routing.combiners import FieldCombiner
from ocr_moe.routing.loop import Strategy
from ocr_moe.run.settling import content_of
from ocr_moe.schema import Schema
from ocr_moe.settings import ReviewOptions
from ocr_moe.store.database import Judged, Store
from ocr_moe.subjects import DocumentKey, key_of
from ocr_moe.types import JudgementKind, Record, Status
from ocr_moe.values.normalize import same


class _Own(NamedTuple):
    """What the run itself made of a cell, before anybody said anything."""

    value: str | None
    cell: Cell


class Progress:
    """Keeps the plan's cells in step with the records. Not for several threads at once."""

    def __init__(
        self, store: Store, strategy: Strategy, schemas: Sequence[Schema], options: ReviewOptions
    ) -> None:
        """Without any cell: `clear`, `take` every record as it stands, and `begin`."""
        self._store = store
        self._strategy = strategy
        self._schemas = {schema.name: schema for schema in schemas}
        self._options = options
        combiner = strategy.combiner
        self._uncalibrated = (
            uncalibrated_fields(schemas, combiner.calibration)
            if isinstance(combiner, FieldCombiner)
            else frozenset((s.name, field.name) for s in schemas for field in s.fields)
        )
        self._own: dict[CellKey, _Own] = {}
        self._hidden: set[CellKey] = set()
        self._contradicted: set[CellKey] = set()
        self._reread: set[tuple[str, int]] = set()
        """(hash, page) of what was read as people told."""

    def clear(self) -> None:
        """Forget all cells: at the start, and where files were read again."""
        self._own.clear()
        self._reread = {
            (each.sha256, each.page)
            for each in self._store.judgements()
            if not each.undone and each.judgement.kind in OF_PAGES
        }

    def take(self, record: Record) -> None:
        """Count a record's cells as the run's own."""
        own = (record.document.sha256, record.document.page) not in self._reread
        for cell in cells_of(record, self._names(record)):
            decision = record.fields.get(cell.key.field)
            value = None if decision is None else decision.value
            self._own[cell.key] = _Own(value, cell if own else cell._replace(own=False))

    def begin(self, own: Mapping[DocumentKey, Record]) -> None:
        """Plan, once all records are counted. `own` holds those that people's word may have changed as
        they would be without it."""
        for record in own.values():
            self.take(record)
        self._contradicted.clear()
        self._planner = Planner(
            (each.cell for each in self._own.values()),
            self._options,
            self._seed(),
            uncalibrated=self._uncalibrated,
        )
        for key in own:
            if (now := self._store.record(self._strategy.name, key)) is not None:
                self.update(now)
        plan = self._planner.plan()
        due = self._planner.blind_keys(max(plan.blind.due - plan.blind.drawn, 0))
        self._hidden = {*due} - self._contradicted

    def update(self, record: Record) -> None:
        """Take a record in as it stands now."""
        judged = self._store.judgements_on(*content_of(record.document))
        document = key_of(record.document)
        cells = []
        for name, decision in record.fields.items():
            key = CellKey(document, name)
            own = self._own.get(key)
            if own is None:
                continue
            check = self._check(record, name, own.value, judged)
            cell = own.cell._replace(check=check)
            if decision.status is not Status.VERIFIED and check is None:
                now = self._as_now(record, name)
                changed = decision.value != own.value
                cell = cell._replace(
                    confidence=now.confidence, ceiling=now.ceiling, changed=changed
                )
            cells.append(cell)
            if check is not None:
                self._hidden.discard(key)
            unsettled = (
                check.blind and check.open if check is not None else _taken_back_blind(judged, name)
            )
            (self._contradicted.add if unsettled else self._contradicted.discard)(key)
        self._planner.update(*cells)

    def draw(self, count: int) -> list[CellKey]:
        """Hide further cells of the blind order, to be shown without their values; which."""
        waiting = set(self._planner.blind_keys(len(self._hidden) + count))
        drawn = sorted(waiting - self._hidden)
        self._hidden |= waiting
        return drawn

    def is_hidden(self, key: CellKey) -> bool:
        """Whether the cell is one of the blind share that nobody has judged."""
        return key in self._hidden

    def is_contradicted(self, key: CellKey) -> bool:
        """Whether a word that was given blind differs from what was read, and nobody who sees both has
        said which is right; or was taken back, so that the audit cannot go on before somebody looks. Who
        did so may have seen the value by then: it is not hidden again."""
        return key in self._contradicted

    @property
    def hidden(self) -> frozenset[CellKey]:
        """The cells of the blind share that wait."""
        return frozenset(self._hidden)

    def plan(self) -> Plan:
        """The plan as it stands."""
        return self._planner.plan()

    def _names(self, record: Record) -> tuple[str, ...]:
        """The fields of a document that could not be read, which are to be typed."""
        schema = self._schemas.get(record.schema_name or "")
        return schema.names if schema is not None and record.error is not None else ()

    def _as_now(self, record: Record, name: str) -> Cell:
        [now] = cells_of(record.model_copy(update={"fields": {name: record.fields[name]}}))
        return now

    def _check(
        self, record: Record, name: str, machine: str | None, judged: Iterable[Judged]
    ) -> Check | None:
        given = [
            each
            for each in judged
            if not each.undone
            and each.judgement.kind is JudgementKind.VALUE
            and each.judgement.field == name
            and each.judgement.cells is None  # a table of which some cells were checked is not
        ]
        if not given:
            return None
        field = self._schemas[record.schema_name or ""].field(name)
        words = [each.judgement for each in given]
        return check_of(machine, words, given[-1].id, partial(same, field))

    def _seed(self) -> str:
        """The run's own, so that a restart goes on in the same order."""
        return json.dumps([self._store.get_meta("started"), self._strategy.name])


def _taken_back_blind(judged: Iterable[Judged], name: str) -> bool:
    """Whether a blind word on a field was taken back."""
    return any(
        each.undone
        and each.judgement.field == name
        and each.judgement.shown is not None
        and each.judgement.shown.hidden
        for each in judged
    )

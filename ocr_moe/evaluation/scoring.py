"""Every verified cell against every strategy: right, wrong, missing, invented or failed.

Runs over the verified cells *and* looks at what was read for them, so that a value for a field
that the document does not have is seen (invented), and a document that broke counts (failed).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.overlap import OVERLAPS, Overlap
from ocr_moe.evaluation.truth.matched import Match, MatchedBy, VerifiedDocument
from ocr_moe.evaluation.truth.matching import documents_of
from ocr_moe.evaluation.truth.problems import Notebook, Problem, ProblemKind, listed
from ocr_moe.evaluation.truth.sheet import Truth, TruthCell
from ocr_moe.schema import Field, Schema
from ocr_moe.subjects import DocumentKey, key_of
from ocr_moe.types import Decision, DocumentRef, Record, Status

SETTLED = (Status.ACCEPTED, Status.ABSENT, Status.VERIFIED)
"""What stands without a further look."""


class Outcome(IntEnum):
    NOT_SCORED = -1
    """No verified cell, or the strategy has no record of the document."""
    RIGHT = 0
    WRONG = 1
    MISSING = 2
    """Null where truth has a value."""
    INVENTED = 3
    """A value where truth says absent."""
    FAILED = 4
    """No expert could answer, or the file could not be read."""


@dataclass(frozen=True, slots=True)
class ScoredField:
    """A column of the scores. `key` is the field's name, or `schema/name` where two schemas of the
    run share the name."""

    key: str
    schema: Schema
    field: Field


@dataclass(frozen=True, slots=True)
class StrategyGrid:
    """One strategy's cells; every array has the shape (documents, fields)."""

    outcomes: NDArray[np.int8]
    confidence: NDArray[np.float64]
    """NaN where there is none."""
    settled: NDArray[np.bool_]
    """Accepted, absent or verified: the strategy, or a person, stands by the word."""
    values: NDArray[np.object_]
    """What was read: str or None."""

    @property
    def scored(self) -> NDArray[np.bool_]:
        return np.asarray(self.outcomes >= 0)

    @property
    def right(self) -> NDArray[np.bool_]:
        return np.asarray(self.outcomes == Outcome.RIGHT)


@dataclass(frozen=True, slots=True)
class CellView:
    """One scored cell, for lists and reports."""

    document: int
    """Index into `Scoring.documents`."""
    column: int
    """Index into `Scoring.fields`."""
    field: ScoredField
    truth: TruthCell
    value: str | None
    confidence: float | None
    settled: bool
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class TextCell:
    """A cell of a field that is held against the truth by what they have in common."""

    document: DocumentKey
    field: ScoredField
    truth: str
    value: str | None
    failed: bool
    """Whether no expert could answer, or the file could not be read."""

    @property
    def overlap(self) -> Overlap:
        """With the truth; nothing where there is no value."""
        return OVERLAPS[self.field.field.score](self.truth, self.value or "")


@dataclass(frozen=True, slots=True)
class Scoring:
    """All cells of all strategies over the same documents and fields."""

    documents: tuple[DocumentKey, ...]
    fields: tuple[ScoredField, ...]
    truth: NDArray[np.object_]
    """TruthCell or None, of shape (documents, fields)."""
    grids: Mapping[str, StrategyGrid]
    matched: Mapping[MatchedBy, int]
    """How many of the documents were found by what."""
    n_rows: int
    """Rows of the sheets that name a document, checked or not."""
    n_documents: int
    """Of the runs, scored or not."""
    rows_without_document: tuple[str, ...]
    rows_unclear: tuple[str, ...]
    rows_unchecked: int
    documents_without_truth: tuple[str, ...]
    problems: tuple[Problem, ...]
    blank: int
    unscorable: int
    texts: Mapping[str, tuple[TextCell, ...]] = dataclass_field(default_factory=dict)
    """Strategy → its cells of the fields that are neither right nor wrong (`score` in the schema)."""

    def cells(self, strategy: str) -> Iterator[CellView]:
        """The scored cells of a strategy, document by document."""
        grid = self.grids[strategy]
        for document, column in np.argwhere(grid.scored):
            confidence = float(grid.confidence[document, column])
            yield CellView(
                document=int(document),
                column=int(column),
                field=self.fields[column],
                truth=self.truth[document, column],
                value=grid.values[document, column],
                confidence=None if np.isnan(confidence) else confidence,
                settled=bool(grid.settled[document, column]),
                outcome=Outcome(int(grid.outcomes[document, column])),
            )


def score(
    runs: Mapping[str, Sequence[Record]], matches: Sequence[Match], *, empty: bool = False
) -> Scoring:
    """Score the records of each strategy against matched sheets, one sheet a schema; these may say
    nothing at all where it may be `empty`, because rows of tables are scored.

    Raises TruthError when not one row belongs to a document, naming a few of both, or when none of
    their cells is verified.
    """
    documents = documents_of(runs)
    truths = [found.truth for found in matches]
    notebook = Notebook()
    verified: dict[DocumentKey, list[tuple[Truth, VerifiedDocument]]] = {}
    for truth, found in zip(truths, matches, strict=True):
        for document in found.documents:
            if document.cells:
                verified.setdefault(document.key, []).append((truth, document))
    if not verified and not empty:
        if any(found.documents for found in matches):
            raise TruthError(
                "nothing can be scored: every cell of the rows that belong to documents is empty "
                "or damaged"
            )
        raise TruthError(_nothing_in_common(truths, documents))
    columns = _columns(truths)
    fields = tuple(column for column in columns if column.field.score not in OVERLAPS)
    likened = tuple(column for column in columns if column.field.score in OVERLAPS)
    keys = tuple(sorted(verified))
    cells = _truth_grid(keys, verified, fields)
    judge = _Judge()
    compared = _truth_grid(keys, verified, likened) if likened else None
    grids, texts = {}, {}
    for name, records in runs.items():
        by_key = {key_of(record.document): record for record in records}
        _note_records(notebook, name, keys, by_key, verified)
        grids[name] = _grid(keys, fields, cells, by_key, judge)
        if compared is not None:
            texts[name] = tuple(_text_cells(keys, likened, compared, by_key))
    touched = frozenset[DocumentKey]().union(*(found.touched for found in matches))
    return Scoring(
        documents=keys,
        fields=fields,
        truth=cells,
        grids=grids,
        matched=_matched(matches),
        n_rows=sum(len(truth.rows) + truth.unchecked for truth in truths),
        n_documents=len(documents),
        rows_without_document=tuple(
            name for found in matches for name in found.rows_without_document
        ),
        rows_unclear=tuple(name for found in matches for name in found.rows_unclear),
        rows_unchecked=sum(truth.unchecked for truth in truths),
        documents_without_truth=tuple(
            shown_key(key) for key in map(key_of, documents) if key not in touched
        ),
        problems=(
            *(problem for truth in truths for problem in truth.problems),
            *(problem for found in matches for problem in found.problems),
            *notebook.problems(),
        ),
        blank=sum(truth.blank for truth in truths),
        unscorable=sum(truth.unscorable for truth in truths),
        texts=texts,
    )


def _matched(matches: Iterable[Match]) -> Mapping[MatchedBy, int]:
    counts = Counter(
        document.by for found in matches for document in found.documents if document.cells
    )
    return {by: counts[by] for by in MatchedBy}


def shown_key(key: DocumentKey) -> str:
    page = f" (page {key.page})" if key.page > 1 else ""
    part = f" (part {key.part})" if key.part > 1 else ""
    return f"{key.path}{page}{part}"


def worst_first(scoring: Scoring, strategy: str) -> list[int]:
    """Documents in which the strategy has most cells not right first, then by all strategies'."""
    grid = scoring.grids[strategy]
    own = (grid.scored & ~grid.right).sum(axis=1)
    everyone = sum((other.scored & ~other.right).sum(axis=1) for other in scoring.grids.values())
    return sorted(
        range(len(scoring.documents)),
        key=lambda i: (-int(own[i]), -int(everyone[i]), scoring.documents[i]),
    )


class _Judge:
    """Decides about a cell; remembers comparisons, of which a run repeats many."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, TruthCell, str], bool] = {}

    def outcome(self, column: ScoredField, truth: TruthCell, decision: Decision | None) -> Outcome:
        if decision is None:
            # A record of another schema says nothing of this field.
            return Outcome.RIGHT if truth.value is None else Outcome.MISSING
        if decision.status is Status.FAILED:
            return Outcome.FAILED
        if truth.value is None:
            return Outcome.RIGHT if decision.value is None else Outcome.INVENTED
        if decision.value is None:
            return Outcome.MISSING
        if decision.value == truth.value or self._says(column, truth, decision.value):
            return Outcome.RIGHT
        return Outcome.WRONG

    def _says(self, column: ScoredField, truth: TruthCell, value: str) -> bool:
        key = (column.key, truth, value)
        if key not in self._known:
            self._known[key] = truth.says(column.field, value)
        return self._known[key]


def _grid(
    keys: Sequence[DocumentKey],
    fields: Sequence[ScoredField],
    truth: NDArray[np.object_],
    records: Mapping[DocumentKey, Record],
    judge: _Judge,
) -> StrategyGrid:
    # Plain lists while filling: writing single elements into arrays is several times slower.
    width = len(fields)
    names = [scored.field.name for scored in fields]
    outcomes = [[int(Outcome.NOT_SCORED)] * width for _ in keys]
    confidence = [[math.nan] * width for _ in keys]
    settled = [[False] * width for _ in keys]
    values: list[list[str | None]] = [[None] * width for _ in keys]
    for row, key in enumerate(keys):
        record = records.get(key)
        if record is None:
            continue
        for column, cell in enumerate(truth[row].tolist()):
            if cell is None:
                continue
            if record.error is not None:
                outcomes[row][column] = Outcome.FAILED
                continue
            decision = record.fields.get(names[column])
            outcomes[row][column] = judge.outcome(fields[column], cell, decision)
            if decision is None:
                continue
            values[row][column] = decision.value
            settled[row][column] = decision.status in SETTLED
            if decision.confidence is not None:
                confidence[row][column] = decision.confidence
    shape = (len(keys), width)
    return StrategyGrid(
        np.array(outcomes, dtype=np.int8).reshape(shape),
        np.array(confidence, dtype=np.float64).reshape(shape),
        np.array(settled, dtype=np.bool_).reshape(shape),
        np.array(values, dtype=object).reshape(shape),
    )


def _text_cells(
    keys: Sequence[DocumentKey],
    fields: Sequence[ScoredField],
    truth: NDArray[np.object_],
    records: Mapping[DocumentKey, Record],
) -> Iterator[TextCell]:
    for row, key in enumerate(keys):
        record = records.get(key)
        if record is None:
            continue
        for column, cell in enumerate(truth[row].tolist()):
            if cell is None or cell.value is None:
                continue
            decision = record.fields.get(fields[column].field.name)
            failed = record.error is not None or (
                decision is not None and decision.status is Status.FAILED
            )
            value = None if decision is None or failed else decision.value
            yield TextCell(key, fields[column], cell.value, value, failed)


def _truth_grid(
    keys: Sequence[DocumentKey],
    verified: Mapping[DocumentKey, Sequence[tuple[Truth, VerifiedDocument]]],
    fields: Sequence[ScoredField],
) -> NDArray[np.object_]:
    grid = np.full((len(keys), len(fields)), None, dtype=object)
    for row, key in enumerate(keys):
        for truth, document in verified[key]:
            for column, scored in enumerate(fields):
                if scored.schema.name == truth.schema.name:
                    cell = document.cells.get(scored.field.name)
                    if cell is not None:
                        grid[row, column] = cell
    return grid


def _columns(truths: Sequence[Truth]) -> tuple[ScoredField, ...]:
    owners: dict[str, set[str]] = {}
    for truth in truths:
        for name in truth.fields:
            owners.setdefault(name, set()).add(truth.schema.name)
    columns: dict[str, ScoredField] = {}
    for truth in truths:
        for name in truth.fields:
            key = name if len(owners[name]) == 1 else f"{truth.schema.name}/{name}"
            columns.setdefault(key, ScoredField(key, truth.schema, truth.schema.field(name)))
    return tuple(columns.values())


def _note_records(
    notebook: Notebook,
    strategy: str,
    keys: Sequence[DocumentKey],
    records: Mapping[DocumentKey, Record],
    verified: Mapping[DocumentKey, Sequence[tuple[Truth, VerifiedDocument]]],
) -> None:
    without = [shown_key(key) for key in keys if key not in records]
    if without:
        notebook.add(
            ProblemKind.MISSING_RECORD,
            f"{strategy} has no record of {len(without)} verified documents ({listed(without)}); "
            "its figures are over the others",
        )
    other = [
        shown_key(key)
        for key in keys
        if key in records
        and records[key].schema_name is not None
        and all(truth.schema.name != records[key].schema_name for truth, _ in verified[key])
    ]
    if other:
        notebook.add(
            ProblemKind.OTHER_SCHEMA,
            f"{strategy} took {len(other)} documents for another kind than the sheet's "
            f"({listed(other)}); their cells count as missing",
        )


def _nothing_in_common(truths: Sequence[Truth], documents: Sequence[DocumentRef]) -> str:
    sheets = "; ".join(
        f"{truth.source.name} names {listed([repr(row.key) for row in truth.rows], 3)}"
        for truth in truths
    )
    there = listed([repr(document.path) for document in documents], 3)
    return (
        f"no row of the verified sheet belongs to a document: {sheets}; the documents are {there}. "
        "Neither file names nor names or codes that were read tell which is about which: is it the "
        "sheet of these documents? If so, name each row's file in a column 文件名"
    )

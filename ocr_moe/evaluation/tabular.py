"""Tables against their verified rows: by cell and by row.

Every verified cell counts once, as everywhere: right, wrong, missing (nothing was read there, or its
row was not read at all), invented (a value where truth says absent), failed. A row is right where all
its verified cells are; rows that truth does not have are counted beside these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ocr_moe.evaluation import metrics
from ocr_moe.evaluation.scores import ColumnScore, TableScore
from ocr_moe.evaluation.scoring import SETTLED, Outcome
from ocr_moe.evaluation.truth.rows import TableTruth, TruthRow
from ocr_moe.schema import Field
from ocr_moe.subjects import key_of
from ocr_moe.types import Decision, Record, Status
from ocr_moe.values.normalize import equal, normalize
from ocr_moe.values.tables import paired


@dataclass
class _Tally:
    documents: int = 0
    perfect: int = 0
    rows: int = 0
    rows_right: int = 0
    rows_missing: int = 0
    rows_extra: int = 0
    cells: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    """(column, what came of it) → cells."""
    settled: int = 0
    silent: int = 0


def score_tables(
    records: Sequence[Record], truths: Sequence[TableTruth], level: float
) -> dict[str, TableScore]:
    """Field → score, of one strategy's records; `schema/field` where two schemas share the name."""
    by_key = {key_of(record.document): record for record in records}
    names = Counter(truth.field.name for truth in truths)
    scores = {}
    for truth in truths:
        tally = _Tally()
        for key, rows in truth.documents.items():
            record = by_key.get(key)
            if record is not None:
                decision = record.fields.get(truth.field.name)
                failed = record.error is not None or (
                    decision is not None and decision.status is Status.FAILED
                )
                read = decision.rows if decision is not None else ()
                _score_document(tally, truth.field, rows, read, failed)
        name = truth.field.name
        key_name = name if names[name] == 1 else f"{truth.schema.name}/{name}"
        if tally.documents:
            scores[key_name] = _score(tally, truth.field, level)
    return scores


def _score_document(
    tally: _Tally,
    table: Field,
    truth: Sequence[TruthRow],
    read: Sequence[Mapping[str, Decision]],
    failed: bool,
) -> None:
    said = [row.cells for row in truth]
    known_by = [row.known_by for row in truth]
    values = [
        {name: _written(table, name, cell.value) for name, cell in row.items()} for row in read
    ]
    all_right = True
    tally.documents += 1
    for own, other in paired(table.key, known_by, values):
        if own is None:
            tally.rows_extra += 1
            all_right = False
            continue
        if not said[own]:
            continue  # nobody verified anything in it
        tally.rows += 1
        tally.rows_missing += other is None
        row_right = other is not None
        for name, value in said[own].items():
            cell = None if other is None else read[other].get(name)
            outcome = Outcome.FAILED if failed else _outcome(table.column(name), value, cell, other)
            tally.cells[name, outcome] += 1
            right = outcome is Outcome.RIGHT
            row_right = row_right and right
            if cell is not None and cell.status in SETTLED:
                tally.settled += 1
                tally.silent += not right
        tally.rows_right += row_right
        all_right = all_right and row_right
    tally.perfect += all_right


def _written(table: Field, name: str, value: str | None) -> str | None:
    return None if value is None else normalize(table.column(name), value) or value


def _outcome(column: Field, truth: str | None, cell: Decision | None, row: int | None) -> Outcome:
    value = None if cell is None else cell.value
    if truth is None:
        if row is None:
            return Outcome.MISSING
        return Outcome.RIGHT if value is None else Outcome.INVENTED
    if value is None:
        return Outcome.MISSING
    return Outcome.RIGHT if equal(column, truth, value) else Outcome.WRONG


def _score(tally: _Tally, table: Field, level: float) -> TableScore:
    counts: Counter[Outcome] = Counter()
    columns = {}
    for column in table.columns:
        own = {what: tally.cells[column.name, what] for what in Outcome}
        counts.update(own)
        if n := sum(own.values()):
            right = own[Outcome.RIGHT]
            columns[column.name] = ColumnScore(n=n, right=right, accuracy=right / n)
    n, right = sum(counts.values()), counts[Outcome.RIGHT]
    return TableScore(
        n_documents=tally.documents,
        perfect=tally.perfect / tally.documents,
        rows=tally.rows,
        rows_right=tally.rows_right,
        rows_missing=tally.rows_missing,
        rows_extra=tally.rows_extra,
        n=n,
        right=right,
        wrong=counts[Outcome.WRONG],
        missing=counts[Outcome.MISSING],
        invented=counts[Outcome.INVENTED],
        failed=counts[Outcome.FAILED],
        accuracy=right / n if n else None,
        interval=metrics.wilson(right, n, level),
        coverage=tally.settled / n if n else None,
        selective_accuracy=1 - tally.silent / tally.settled if tally.settled else None,
        silent_errors=tally.silent,
        columns=columns,
    )

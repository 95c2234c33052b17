"""Judgements out of an ordinary verified sheet: a filled-in template, or a sheet that people had before.

Its rows are matched with the documents of the run as `evaluate` matches them. Whoever filled it in knew
nothing of what was read: where it says something else than the run is sure of, or than a person at the
desk, that is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.material import gather
from ocr_moe.evaluation.truth.matched import Match
from ocr_moe.evaluation.truth.problems import Notebook, ProblemKind, listed
from ocr_moe.evaluation.truth.rows import TruthRow
from ocr_moe.evaluation.truth.truthset import read_truths
from ocr_moe.judgements import verdicts_of
from ocr_moe.reviewing.cells import SURE
from ocr_moe.reviewing.taken import TakenIn
from ocr_moe.run.settling import content_of
from ocr_moe.schema import Field, Schema
from ocr_moe.settings import TruthOptions
from ocr_moe.store.database import Store
from ocr_moe.types import Decision, DocumentRef, Judgement, Record
from ocr_moe.values.normalize import same
from ocr_moe.values.tables import paired, table_text


def words_in(
    path: Path,
    store: Store,
    strategy: str,
    schemas: Sequence[Schema],
    reviewer: str,
    at: str,
    *,
    options: TruthOptions | None = None,
) -> TakenIn:
    """What a verified sheet says of the documents of a run.

    `reviewer` is whose word it is, `at` when it was taken in (ISO 8601 in UTC). A cell that says what
    the run reads confirms it as it is printed; what a person said already is nothing new.
    Raises TruthError when the file cannot be used or is about no document of the run, StoreError.
    """
    runs = {strategy: list(store.records(strategy))}
    material = gather(runs, schemas, read_truths([path], options))
    matched = any(found.documents for found in material.matches)
    if not matched and not any(truth.documents for truth in material.tables):
        raise TruthError(f"{path}: no row is about a document of this run")
    records = {record.document: record for record in runs[strategy]}
    by_key = {(ref.path, ref.page, ref.part): record for ref, record in records.items()}
    notes = Notebook(path.name)
    taken: list[tuple[DocumentRef, Judgement]] = []
    known = 0
    for found in material.matches:
        _note_rows(notes, found)
        schema = found.truth.schema
        for document in found.documents:
            record = by_key[document.key.path, document.key.page, document.key.part]
            if record.schema_name != schema.name:
                notes.add(
                    ProblemKind.NOT_TAKEN,
                    f"{document.key.path}: a {record.schema_name or 'document of no known kind'} now, "
                    f"no {schema.name}; not taken",
                )
                continue
            said = verdicts_of(store.judgements_of(*content_of(record.document)))
            for name, cell in document.cells.items():
                field, decision = schema.field(name), record.fields.get(name)
                if decision is None:
                    continue
                agrees = cell.says(field, decision.value)
                standing = said.get(name)
                if standing is not None and not standing.disputed and agrees:
                    known += 1
                    continue
                if agrees and cell.months:
                    continue  # nothing is said of the day
                if not agrees and decision.status in SURE:
                    notes.add(
                        ProblemKind.SHEET_DIFFERS,
                        f"{document.key.path}, {name}: the sheet says {cell.raw}, read was "
                        f"{decision.value or '–'}, of which the run is sure; look at it again",
                    )
                judgement = Judgement(
                    field=name,
                    value=decision.value if agrees else cell.value,
                    reviewer=reviewer,
                    at=at,
                    via=path.name,
                )
                taken.append((record.document, judgement))
    given = _Given(store, reviewer, at, path.name, notes)
    for truth in material.tables:
        for key, rows in truth.documents.items():
            found_record = by_key.get((key.path, key.page, key.part))
            if found_record is not None and found_record.schema_name == truth.schema.name:
                given.take(truth.field, rows, found_record)
    taken += given.taken
    known += given.known
    problems = [problem for truth in material.tables for problem in truth.problems]
    problems += notes.problems()
    for found in material.matches:
        problems += [*found.truth.problems, *found.problems]
    untouched = sum(found.truth.blank for found in material.matches)
    return TakenIn(tuple(taken), (*problems,), known, untouched)


class _Given:
    """What the sheets of rows of a file say, as judgements on tables."""

    def __init__(self, store: Store, reviewer: str, at: str, via: str, notes: Notebook) -> None:
        self._store = store
        self._reviewer = reviewer
        self._at = at
        self._via = via
        self._notes = notes
        self.taken: list[tuple[DocumentRef, Judgement]] = []
        self.known = 0

    def take(self, table: Field, rows: Sequence[TruthRow], record: Record) -> None:
        """Take in the rows of one document's table."""
        decision = record.fields.get(table.name)
        word = None if decision is None else _word_on(table, rows, decision)
        if decision is None or word is None:
            return
        value, cells = word
        where = f"{record.document.path}, {table.name}"
        said = verdicts_of(self._store.judgements_of(*content_of(record.document)))
        standing = said.get(table.name)
        if standing is not None:
            if standing.value == value and standing.cells in (cells, None):
                self.known += 1
                return
            if cells is not None:
                self._notes.add(
                    ProblemKind.NOT_TAKEN,
                    f"{where}: somebody corrected the table since; correct it at the desk; not taken",
                )
                return
        if decision.status in SURE and decision.value != value:
            self._notes.add(
                ProblemKind.SHEET_DIFFERS,
                f"{where}: the sheet has other rows than were read, of which the run is sure; look at "
                "it again",
            )
        judgement = Judgement(
            field=table.name,
            value=value,
            reviewer=self._reviewer,
            at=self._at,
            via=self._via,
            cells=cells,
        )
        self.taken.append((record.document, judgement))


def _word_on(
    table: Field, rows: Sequence[TruthRow], decision: Decision
) -> tuple[str | None, tuple[tuple[int, str], ...] | None] | None:
    """What the rows of a sheet make of a table, and which cells of it they say where that is not all:
    what they leave open stays as it was read. None where they say nothing."""
    if rows and not any(row.cells for row in rows):
        return None
    read = [{name: cell.value for name, cell in row.items()} for row in decision.rows]
    names = [column.name for column in table.columns]
    pairs = dict(paired(table.key, [row.known_by for row in rows], read))
    made: list[dict[str, str | None]] = []
    cells: list[tuple[int, str]] = []
    for index, row in enumerate(rows):
        other = pairs.get(index)
        was = {} if other is None else read[other]
        made.append(
            {
                name: _as_printed(table.column(name), row.cells, was, name)
                if name in row.cells
                else was.get(name)
                for name in names
            }
        )
        cells += [(index, name) for name in names if name in row.cells]
    whole = len(cells) == len(names) * len(rows)
    return table_text(made), None if whole else tuple(cells)


def _as_printed(
    column: Field, said: Mapping[str, str | None], was: Mapping[str, str | None], name: str
) -> str | None:
    """What a sheet says; where the run reads the same, as that is printed."""
    value, read = said[name], was.get(name)
    return read if same(column, value, read) else value


def _note_rows(notes: Notebook, found: Match) -> None:
    for what, rows in (
        ("no document of the run", found.rows_without_document),
        ("several documents of the run, or one that other rows fit as well", found.rows_unclear),
    ):
        if rows:
            notes.add(ProblemKind.NOT_TAKEN, f"rows that fit {what}: {listed(rows)}; not taken")

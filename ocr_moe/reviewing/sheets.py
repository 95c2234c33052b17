"""Judgements out of an ordinary verified sheet: a filled-in template, or a sheet that people had before.

Its rows are matched with the documents of the run as `evaluate` matches them. Whoever filled it in knew
nothing of what was read: where it says something else than the run is sure of, or than a person at the
desk, that is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.material import gather
from ocr_moe.evaluation.truth.matched import Match
from ocr_moe.evaluation.truth.problems import Notebook, ProblemKind, listed
from ocr_moe.evaluation.truth.truthset import read_truths
from ocr_moe.judgements import verdicts_of
from ocr_moe.reviewing.cells import SURE
from ocr_moe.reviewing.taken import TakenIn
from ocr_moe.run.settling import content_of
from ocr_moe.schema import Schema
from ocr_moe.settings import TruthOptions
from ocr_moe.store.database import Store
from ocr_moe.types import DocumentRef, Judgement


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
    if not any(found.documents for found in material.matches):
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
    problems = [*notes.problems()]
    for found in material.matches:
        problems += [*found.truth.problems, *found.problems]
    untouched = sum(found.truth.blank for found in material.matches)
    return TakenIn(tuple(taken), (*problems,), known, untouched)


def _note_rows(notes: Notebook, found: Match) -> None:
    for what, rows in (
        ("no document of the run", found.rows_without_document),
        ("several documents of the run, or one that other rows fit as well", found.rows_unclear),
    ):
        if rows:
            notes.add(ProblemKind.NOT_TAKEN, f"rows that fit {what}: {listed(rows)}; not taken")

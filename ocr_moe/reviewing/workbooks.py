"""Judgements out of a corrected records.xlsx.

What a person checked in the workbook becomes what they would have said at the desk: with who, when, the
file that it came in, and what they had before them. Taking a file in twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ocr_moe.evaluation.truth.corrected import (
    CheckedCell,
    CheckedTable,
    How,
    Written,
    read_corrected,
)
from ocr_moe.evaluation.truth.problems import Notebook, ProblemKind
from ocr_moe.formats.recordbook import DocumentId, document_id, written_document
from ocr_moe.reviewing.taken import TakenIn
from ocr_moe.run.settling import Content, content_of
from ocr_moe.schema import Schema
from ocr_moe.settings import TruthOptions
from ocr_moe.store.database import Store
from ocr_moe.subjects import key_of
from ocr_moe.types import DocumentRef, Judgement, JudgementKind, Record, Shown, Status
from ocr_moe.values.normalize import same


def judgements_in(
    path: Path,
    store: Store,
    schemas: Sequence[Schema],
    reviewer: str,
    at: str,
    *,
    options: TruthOptions | None = None,
) -> TakenIn:
    """What a person said in a workbook about the documents of a run, in the order of documents and
    fields.

    `reviewer` is whose word it is where the workbook names nobody, `at` when it was taken in (ISO 8601
    in UTC). A document whose file has changed since the workbook was written, that is of another kind
    now, or that the run does not have, is left out and told. Raises TruthError when the file cannot be
    read or is no records.xlsx, StoreError where the store is lost.
    """
    records = _records_of(store)
    written: Written = {
        document: written_document(record)
        for document, record in records.items()
        if record.schema_name is not None
    }
    corrected = read_corrected(path, schemas, options=options, written=written)
    notes = Notebook(path.name)
    said = _Said(store, path.name)
    fields = {schema.name: {field.name: field for field in schema.fields} for schema in schemas}
    taken: dict[tuple[Content, str], tuple[DocumentRef, Judgement]] = {}
    refused: set[tuple[Content, str]] = set()
    known = 0
    for cell in corrected.cells:
        record = records.get(cell.document)
        problem = _why_not(cell, record)
        if problem or record is None:
            notes.add(ProblemKind.NOT_TAKEN, f"{cell.document.path}: {problem}; not taken")
            continue
        judgement = Judgement(
            kind=JudgementKind.VALUE,
            field=cell.field,
            value=cell.value,
            reviewer=cell.reviewer or reviewer,
            at=cell.at or at,
            via=path.name,
            shown=_shown(cell, record),
        )
        content = content_of(record.document)
        key = (content, cell.field)
        if said.has(content, judgement, only_standing=cell.how is How.VERIFIED):
            known += 1
        elif key in refused:
            continue
        elif key not in taken:
            taken[key] = (record.document, judgement)
        elif not same(fields[cell.schema][cell.field], taken[key][1].value, judgement.value):
            # One file under two names: the store has one answer for both.
            refused.add(key)
            other = taken.pop(key)[0].path
            notes.add(
                ProblemKind.CONTRADICTION,
                f"{cell.document.path}, {cell.field}: {other} is the same file and says something else; "
                "none was taken. Leave the right one",
            )
        else:
            known += 1
    for table in corrected.tables:
        record = records.get(table.document)
        problem = _why_not(table, record) or ("" if record is None else said.why_not(table, record))
        if problem or record is None:
            notes.add(
                ProblemKind.NOT_TAKEN,
                f"{table.document.path}, {table.field}: {problem}; not taken",
            )
            continue
        judgement = _of_table(table, record, reviewer, at, path.name)
        content = content_of(record.document)
        if said.has(content, judgement, only_standing=table.how is How.VERIFIED):
            known += 1
        else:
            taken.setdefault((content, table.field), (record.document, judgement))
    problems = (*corrected.problems, *notes.problems())
    return TakenIn(tuple(taken.values()), problems, known, corrected.untouched)


def _of_table(table: CheckedTable, record: Record, reviewer: str, at: str, via: str) -> Judgement:
    """What a person said of a table: all of it, or of some cells only."""
    cells = tuple((n, name) for n, row in enumerate(table.rows) for name in row.checked)
    written = table.written
    decision = record.fields[table.field]
    return Judgement(
        kind=JudgementKind.VALUE,
        field=table.field,
        value=table.value,
        reviewer=table.reviewer or reviewer,
        at=at,
        via=via,
        shown=Shown(
            value=decision.value if written is None else table.was,
            confidence=decision.confidence if written is None else written.confidence,
            status=decision.status if written is None else Status(written.status),
            strategy=table.strategy or record.strategy,
        ),
        cells=None if table.whole else cells,
    )


def _records_of(store: Store) -> dict[DocumentId, Record]:
    """The records of the run by their documents; of several strategies, of the first that has one."""
    found: dict[DocumentId, Record] = {}
    for strategy in store.strategies():
        for record in store.records(strategy):
            found.setdefault(document_id(*key_of(record.document)), record)
    return found


_Word = tuple[str | None, str, str, tuple[tuple[int, str], ...] | None]
"""Value, reviewer, where it came from, and of a table the cells."""


class _Said:
    """What people said before, counted or taken back."""

    def __init__(self, store: Store, via: str) -> None:
        self._via = via
        self._given: dict[tuple[Content, str], set[_Word]] = {}
        self._standing: dict[tuple[Content, str], Judgement] = {}
        for each in store.judgements():
            judgement = each.judgement
            if judgement.kind is not JudgementKind.VALUE:
                continue
            key = ((each.sha256, each.page, each.region), judgement.field)
            word = (judgement.value, judgement.reviewer, judgement.via, judgement.cells)
            self._given.setdefault(key, set()).add(word)
            if not each.undone:
                self._standing[key] = judgement

    def has(self, content: Content, judgement: Judgement, *, only_standing: bool) -> bool:
        """Whether that person said so before: it stands, or the same file brought it, and what they
        did at the desk since then counts more. A word that is only carried along is known where
        anybody's stands, and where that person gave it and took it back."""
        key = (content, judgement.field)
        standing = self._standing.get(key)
        if only_standing:
            word = (judgement.value, judgement.reviewer)
            given = self._given.get(key, ())
            return standing is not None or any(each[:2] == word for each in given)
        if standing is not None and (standing.value, standing.reviewer, standing.cells) == (
            judgement.value,
            judgement.reviewer,
            judgement.cells,
        ):
            return True
        told = (judgement.value, judgement.reviewer, judgement.via, judgement.cells)
        return told in self._given.get(key, ())

    def why_not(self, table: CheckedTable, record: Record) -> str:
        """Why a word on some cells of a table cannot be put beside what somebody said since the workbook
        was written."""
        standing = self._standing.get((content_of(record.document), table.field))
        if standing is None or table.whole or table.was == standing.value:
            return ""
        again = (standing.value, standing.via) == (table.value, self._via)
        return "" if again else "somebody corrected the table since; correct it at the desk"


def _why_not(cell: CheckedCell | CheckedTable, record: Record | None) -> str:
    if record is None:
        return "the run has no such document"
    if cell.sha256 and cell.sha256 != record.document.sha256:
        return "the file is another one than when the workbook was written"
    if record.schema_name != cell.schema:
        return f"a {record.schema_name or 'document of no known kind'} now, no {cell.schema}"
    if cell.field not in record.fields:
        return f"the run has no field {cell.field}"
    return ""


def _shown(cell: CheckedCell, record: Record) -> Shown:
    """What the person had before them: the cell as it was written."""
    written = cell.written
    strategy = cell.strategy or record.strategy
    if written is None:
        decision = record.fields[cell.field]
        return Shown(
            value=decision.value,
            confidence=decision.confidence,
            status=decision.status,
            strategy=strategy,
        )
    return Shown(
        value=written.value,
        confidence=written.confidence,
        status=Status(written.status),
        strategy=strategy,
    )

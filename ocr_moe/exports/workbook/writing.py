"""Writing records.xlsx: what people check and correct, and what they are told about it.

What is sure is plain; what a person should look at is coloured, and says why in a note. The workbook
carries what was written into it, so that it can be read back with its corrections
(`ocr_moe.evaluation.truth.corrected`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ocr_moe.exports.sources import AnswersOf, CropOf, LinkOf
from ocr_moe.exports.workbook.cells import Cells
from ocr_moe.exports.workbook.pictures import Pictures
from ocr_moe.exports.workbook.sheets import (
    Columns,
    Doubt,
    Failure,
    SubjectRow,
    TableRow,
    ToClearUp,
    to_check,
)
from ocr_moe.exports.workbook.summary import COLUMNS, Summary
from ocr_moe.exports.workbook.survey import Survey, survey
from ocr_moe.formats.notes import note_in
from ocr_moe.formats.phrases import Language
from ocr_moe.formats.recordbook import (
    WRITTEN_HEADINGS,
    WRITTEN_SHEET,
    DocumentId,
    said,
    written_document,
    written_rows,
)
from ocr_moe.formats.xlsx import MAX_ROWS, Book, Column, Content, Sheet, Table, writing
from ocr_moe.schema import Field, Schema
from ocr_moe.subjects import DocumentKey, key_of
from ocr_moe.types import DocumentRef, Record, Status


def _nowhere(_: DocumentRef) -> str:
    return ""


def write_workbook(
    path: Path,
    records: Iterable[Record],
    schemas: Sequence[Schema],
    *,
    language: Language = "en",
    answers: AnswersOf | None = None,
    original_of: LinkOf = _nowhere,
    desk_of: LinkOf | None = None,
    crop_of: CropOf | None = None,
    rows_per_sheet: int = MAX_ROWS,
    told: Mapping[DocumentKey, str] = {},
) -> int:
    """Write the workbook in one step; how many documents it has.

    `records` are wanted in export order and gone through twice, so a re-iterable (a list, a view of
    the store) keeps memory flat. Documents of a single schema stand on the sheet "documents", those of
    several on a sheet each, named by the schema. A sheet that is full goes on in "documents (2)" and
    so on. `answers` add other candidates to the notes, `original_of` and `desk_of` links to a
    document's file and its page at the review desk, `crop_of` pictures of the doubtful cells;
    `told` is what people say of whose documents are.
    Raises OutputError, or SchemaError for a wrong subject pattern.
    """
    if isinstance(records, Iterator):
        records = list(records)
    found = survey(records, schemas, told)
    present = [schema for schema in schemas if found.documents[schema.name]] or list(schemas[:1])
    pictures = Pictures(crop_of)
    columns = Columns(language, Cells(language, answers), original_of, desk_of, pictures)
    with writing(path, rows_per_sheet=rows_per_sheet) as book:
        sheets = _Sheets(book, columns, present, found)
        count = 0
        for record in records:
            count += 1
            sheets.add(record)
        sheets.finish()
        sheets.summary.write(found, present, pictures)
    return count


class _Sheets:
    """The sheets of a workbook that is being written, in their order."""

    def __init__(
        self, book: Book, columns: Columns, schemas: Sequence[Schema], found: Survey
    ) -> None:
        language = columns.language
        self._columns = columns
        self._found = found
        self._fields = _fields_of(schemas)
        chosen = (each.chosen for each in found.subjects)
        self._chosen = {key_of(named.document) for named in chosen if named is not None}
        self._contents: dict[DocumentKey, list[Content]] = {}
        self._schemas = {schema.name: schema for schema in schemas}
        several = len(schemas) > 1
        titles = {s.name: s.title if language == "zh" and s.title else s.name for s in schemas}
        keys = ["to_check", "subjects", "to_clear_up", "failures"]
        names = {key: said(f"sheet_{key}", language) for key in keys}
        if several:
            names["other_pages"] = said("sheet_other_pages", language)
        first = book.sheet(said("sheet_summary", language), COLUMNS, header=False)
        self.summary = Summary(first, language, names, titles)  # which sees names that come later
        self._documents: dict[str, Table[Record]] = {}
        for schema in schemas:
            name = titles[schema.name] if several else said("sheet_documents", language)
            self._documents[schema.name] = book.table(name, columns.documents(schema), frozen=1)
        self._tables: dict[tuple[str, str], Table[TableRow]] = {}
        for schema in schemas:
            for field in schema.tables:
                name = f"{titles[schema.name]} {field.name}" if several else field.name
                rows = book.table(name, columns.table(field), frozen=1)
                self._tables[schema.name, field.name] = rows
                names[f"table {schema.name} {field.name}"] = rows.name
        self._to_check = book.table(names["to_check"], columns.to_check(), frozen=1)
        self._subjects = book.table(names["subjects"], columns.subjects(self._fields), frozen=1)
        self._to_clear_up = book.table(names["to_clear_up"], columns.to_clear_up(), frozen=1)
        self._other = (
            book.table(names["other_pages"], columns.other_pages(), frozen=1) if several else None
        )
        self._failures = book.table(names["failures"], columns.failures(), frozen=1)
        heads = [Column(text) for text in WRITTEN_HEADINGS]
        self._written: Sheet = book.sheet(WRITTEN_SHEET, heads, hidden=True)
        self._shown = columns.shown(self._fields)

    def add(self, record: Record) -> None:
        schema = self._schemas.get(record.schema_name or "")
        if schema is not None:
            self._documents[schema.name].add(record)
            self._keep(record, schema)
        elif self._other is not None:
            self._other.add(record)
        else:
            for table in self._documents.values():
                table.add(record)
        for conflict in record.conflicts:
            self._to_clear_up.add(ToClearUp(record.document, conflict))
        for failure in self._failures_of(record):
            self._failures.add(failure)
        key = key_of(record.document)
        if key in self._chosen:
            self._contents[key] = [column.content(record) for column in self._shown]

    def _keep(self, record: Record, schema: Schema) -> None:
        """Its doubtful cells, a row each; the rows of its tables; and what was written, for whoever
        reads it back."""
        for field in schema.tables:
            decision = record.fields.get(field.name)
            for number, cells in enumerate(decision.rows if decision else (), start=1):
                self._tables[schema.name, field.name].add(TableRow(record, number, cells))
        for name in to_check(record):
            if name in schema.names:
                self._to_check.add(Doubt(record, schema.field(name)))
        for row in written_rows(DocumentId(*key_of(record.document)), written_document(record)):
            self._written.append(row)

    def _failures_of(self, record: Record) -> Iterator[Failure]:
        schema = record.schema_name or ""
        if record.error is not None:
            yield Failure(record.document, schema, "", record.error.type, record.error.message)
        for name, decision in record.fields.items():
            if decision.status is Status.FAILED:
                notes = "; ".join(decision.notes)
                kind = said("field_failed", self._columns.language)
                yield Failure(record.document, schema, name, kind, notes)

    def finish(self) -> None:
        """What is known of subjects once every record was seen."""
        language = self._columns.language
        message = "the file name does not fit the schema's subject pattern, nor was a name read"
        for schema, document in self._found.unmatched:
            kind = said("no_subject", language)
            self._failures.add(Failure(document, schema, "", kind, note_in(message, language)))
        blank: list[Content] = [None] * len(self._shown)
        for subject in self._found.subjects:
            chosen = subject.chosen
            shown = blank if chosen is None else self._contents[key_of(chosen.document)]
            self._subjects.add(SubjectRow(subject, shown))


def _fields_of(schemas: Sequence[Schema]) -> tuple[Field, ...]:
    """The fields of all schemas together, in their order."""
    union: dict[str, Field] = {}
    for schema in schemas:
        for field in schema.one_valued:
            union.setdefault(field.name, field)
    return tuple(union.values())

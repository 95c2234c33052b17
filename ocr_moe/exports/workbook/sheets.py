"""The columns of each sheet of records.xlsx."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from ocr_moe.exports.sources import LinkOf
from ocr_moe.exports.workbook.cells import Cells, document_cell, told_notes, width_of
from ocr_moe.exports.workbook.pictures import Pictures
from ocr_moe.formats.notes import note_in
from ocr_moe.formats.phrases import Language
from ocr_moe.formats.recordbook import ABSENT_MARK, heading, said
from ocr_moe.formats.xlsx import Cell, Computed, Content, Item
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.subjects import NamedDocument, Subject, shown
from ocr_moe.types import DOUBTFUL, Conflict, Decision, DocumentRef, Record
from ocr_moe.values.kinds import kind_of

_CONFIDENCE = "0.000"


class Failure(NamedTuple):
    """A row of the sheet "failures"."""

    document: DocumentRef
    schema: str
    field: str
    type: str
    message: str


class ToClearUp(NamedTuple):
    """A row of the sheet "to clear up"."""

    document: DocumentRef
    conflict: Conflict


class Doubt(NamedTuple):
    """A row of the sheet "to check"."""

    record: Record
    field: Field


class TableRow(NamedTuple):
    """A row of the sheet of a table."""

    record: Record
    number: int
    """Counted from 1 within the document."""
    cells: Mapping[str, Decision]


class SubjectRow(NamedTuple):
    """A row of the sheet "subjects"."""

    subject: Subject
    shown: Sequence[Content]
    """Of the chosen document, what `shown_columns` hold; else blanks."""


@dataclass(frozen=True)
class Columns:
    """The columns of the sheets, in one language, with links where there is something to link to."""

    language: Language
    cells: Cells
    original_of: LinkOf
    """Where a document's file is."""
    desk_of: LinkOf | None
    """Its page at the review desk; None where no desk is served."""
    pictures: Pictures

    def documents(self, schema: Schema) -> list[Computed[Record]]:
        """Of a sheet of the documents of one schema."""
        names = schema.names
        head = partial(heading, language=self.language, fields=names)
        return [
            Computed(head("document"), 36, lambda r: document_cell(r.document, self.original_of)),
            Computed(head("page"), 7, lambda record: record.document.page, "0"),
            *map(self._field, schema.one_valued),
            Computed(
                *(head("checked"), 12, lambda record: None, "General"),
                note=said("note_checked", self.language),
            ),
            *self._shown_of_all(names),
            Computed(head("notes"), 40, partial(told_notes, language=self.language)),
            Computed(head("schema"), 14, lambda record: record.schema_name or ""),
            Computed(head("part"), 7, lambda record: record.document.part, "0"),
            *self._desk(names, lambda record: record.document),
        ]

    def shown(self, fields: Sequence[Field]) -> list[Computed[Record]]:
        """What the sheets of documents and of subjects both show of a record."""
        names = [field.name for field in fields]
        return [*map(self._field, fields), *self._shown_of_all(names)]

    def _shown_of_all(self, names: Sequence[str]) -> list[Computed[Record]]:
        head = partial(heading, language=self.language, fields=names)
        return [
            Computed(head("to_check"), 24, self._to_check),
            Computed(
                head("lowest_confidence"), 12, lambda r: _lowest(r.fields.values()), _CONFIDENCE
            ),
        ]

    def subjects(self, fields: Sequence[Field]) -> list[Computed[SubjectRow]]:
        names = [field.name for field in fields]
        head = partial(heading, language=self.language, fields=names)

        def chosen(content: Callable[[NamedDocument], Content]) -> Callable[[SubjectRow], Content]:
            return lambda row: None if row.subject.chosen is None else content(row.subject.chosen)

        return [
            Computed(head("subject"), 14, self._subject_name),
            Computed(head("degree"), 10, chosen(lambda named: named.degree)),
            Computed(head("kind"), 10, chosen(lambda named: named.kind)),
            Computed(head("document"), 36, chosen(lambda named: named.document.path)),
            Computed(head("page"), 7, chosen(lambda named: named.document.page), "0"),
            *(
                Computed(column.heading, column.width, partial(_shown_at, index=i), column.number)
                for i, column in enumerate(self.shown(fields))
            ),
            Computed(head("other_documents"), 40, _other_documents),
            Computed(head("notes"), 40, self._subject_note),
            Computed(head("part"), 7, chosen(lambda named: named.document.part), "0"),
        ]

    def to_check(self) -> list[Computed[Doubt]]:
        pictures = [Computed(self._head("picture"), 62, self._picture)]
        return [
            Computed(
                self._head("document"),
                36,
                lambda d: document_cell(d.record.document, self.original_of),
            ),
            Computed(self._head("page"), 7, lambda doubt: doubt.record.document.page, "0"),
            Computed(self._head("field"), 16, lambda doubt: doubt.field.name),
            Computed(self._head("value"), 34, self._doubtful_cell),
            *(pictures if self.pictures.wanted else []),
            Computed(
                *(self._head("checked"), 12, lambda doubt: None, "General"),
                note=said("note_checked", self.language),
            ),
            Computed(self._head("confidence"), 12, lambda d: _decision(d).confidence, _CONFIDENCE),
            Computed(self._head("notes"), 60, self._doubt_notes),
            Computed(self._head("part"), 7, lambda doubt: doubt.record.document.part, "0"),
            *self._desk((), lambda doubt: doubt.record.document),
        ]

    def table(self, table: Field) -> list[Computed[TableRow]]:
        """Of the sheet of a field of kind table: a row a row of a document's table."""
        names = [column.name for column in table.columns]
        head = partial(heading, language=self.language, fields=names)
        return [
            Computed(
                head("document"), 36, lambda r: document_cell(r.record.document, self.original_of)
            ),
            Computed(head("page"), 7, lambda row: row.record.document.page, "0"),
            Computed(head("row"), 7, lambda row: row.number, "0"),
            *(self._column(column, partial(self._table_cell, column)) for column in table.columns),
            Computed(
                *(head("checked"), 12, lambda row: None, "General"),
                note=said("note_checked", self.language),
            ),
            Computed(
                head("lowest_confidence"), 12, lambda r: _lowest(r.cells.values()), _CONFIDENCE
            ),
            Computed(head("part"), 7, lambda row: row.record.document.part, "0"),
            *self._desk(names, lambda row: row.record.document),
        ]

    def _table_cell(self, column: Field, row: TableRow) -> Content:
        cell = row.cells.get(column.name)
        return None if cell is None else self.cells.decided(column, cell)

    def failures(self) -> list[Computed[Failure]]:
        return [
            Computed(
                self._head("document"), 36, lambda f: document_cell(f.document, self.original_of)
            ),
            Computed(self._head("page"), 7, lambda failure: failure.document.page, "0"),
            Computed(self._head("schema"), 22, lambda failure: failure.schema),
            Computed(self._head("field"), 16, lambda failure: failure.field),
            Computed(self._head("type"), 22, lambda failure: failure.type),
            Computed(self._head("message"), 80, lambda failure: failure.message),
            Computed(self._head("part"), 7, lambda failure: failure.document.part, "0"),
        ]

    def to_clear_up(self) -> list[Computed[ToClearUp]]:
        return [
            Computed(
                self._head("document"), 36, lambda r: document_cell(r.document, self.original_of)
            ),
            Computed(self._head("page"), 7, lambda row: row.document.page, "0"),
            Computed(self._head("field"), 16, lambda row: ", ".join(row.conflict.fields)),
            Computed(self._head("what"), 18, self._what),
            Computed(self._head("message"), 80, self._conflict_message),
            Computed(
                self._head("other_documents"), 48, lambda row: "; ".join(row.conflict.documents)
            ),
            Computed(self._head("part"), 7, lambda row: row.document.part, "0"),
            *self._desk((), lambda row: row.document),
        ]

    def other_pages(self) -> list[Computed[Record]]:
        """Of the sheet of what has no sheet of a schema, where there are several of these."""
        return [
            Computed(
                self._head("document"), 36, lambda r: document_cell(r.document, self.original_of)
            ),
            Computed(self._head("page"), 7, lambda record: record.document.page, "0"),
            Computed(self._head("message"), 80, partial(told_notes, language=self.language)),
            Computed(self._head("part"), 7, lambda record: record.document.part, "0"),
        ]

    def _head(self, key: str) -> str:
        return heading(key, self.language)

    def _desk(
        self, fields: Sequence[str], document_of: Callable[[Item], DocumentRef]
    ) -> list[Computed[Item]]:
        desk_of = self.desk_of
        if desk_of is None:
            return []
        text = said("open_desk", self.language)

        def content(item: Item) -> Content:
            return Cell(text, "link", link=desk_of(document_of(item)))

        return [Computed(heading("desk", self.language, fields), 9, content)]

    def _field(self, field: Field) -> Computed[Record]:
        return self._column(field, partial(self.cells.of, field))

    def _column(self, field: Field, content: Callable[[Item], Content]) -> Computed[Item]:
        """Of the values of a field, or of a table's column."""
        choices: tuple[str, ...] = ()
        if kind_of(field).closed:
            choices = (*field.values, ABSENT_MARK)
        return Computed(
            field.name,
            width_of(field),
            content,
            note=said("note_date", self.language) if field.kind is Kind.DATE else "",
            choices=choices,
            warning=(said("choices_title", self.language), said("choices_message", self.language)),
        )

    def _to_check(self, record: Record) -> str:
        if record.error is not None:
            return said("whole_document", self.language)
        return ", ".join(to_check(record))

    def _doubtful_cell(self, doubt: Doubt) -> Content:
        return self.cells.of(doubt.field, doubt.record)

    def _picture(self, doubt: Doubt) -> Content:
        return Cell(None, picture=self.pictures.of(doubt.record, doubt.field.name))

    def _doubt_notes(self, doubt: Doubt) -> str:
        return "; ".join(note_in(note, self.language) for note in _decision(doubt).notes)

    def _what(self, row: ToClearUp) -> str:
        return said(f"conflict_{row.conflict.kind.value}", self.language)

    def _conflict_message(self, row: ToClearUp) -> str:
        return note_in(row.conflict.message, self.language)

    def _subject_name(self, row: SubjectRow) -> Content:
        subject = row.subject
        if subject.chosen is None:
            return subject.name
        return Cell(
            subject.name, "unsure" if subject.namesakes else "plain", self._note_of(subject)
        )

    def _subject_note(self, row: SubjectRow) -> Cell:
        unsure = bool(row.subject.note) or row.subject.chosen is None
        return Cell(self._note_of(row.subject), "unsure" if unsure else "plain")

    def _note_of(self, subject: Subject) -> str:
        return "; ".join(note_in(note, self.language) for note in subject.note.split("; "))


def to_check(record: Record) -> list[str]:
    """The fields at which a person should look."""
    return [name for name, each in record.fields.items() if each.status in DOUBTFUL]


def _decision(doubt: Doubt) -> Decision:
    return doubt.record.fields[doubt.field.name]


def _lowest(cells: Iterable[Decision]) -> float | None:
    """The lowest confidence there is."""
    confidences = [each.confidence for each in cells]
    return min((each for each in confidences if each is not None), default=None)


def _shown_at(row: SubjectRow, index: int) -> Content:
    return row.shown[index]


def _other_documents(row: SubjectRow) -> str:
    return "; ".join(
        shown(member.document)
        for member in row.subject.documents
        if member is not row.subject.chosen
    )

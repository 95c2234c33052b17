"""records.xlsx: a row a document, a row a subject, and the failures.

The sheets are built so that a person can work in them: what is sure is plain, what a person should
look at is coloured and carries the confidence in a note.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ocr_moe.formats.xlsx import MAX_ROWS, Cell, Column, Content, Sheet, Style, writing
from ocr_moe.schema import Field, Schema
from ocr_moe.subjects import FileNameRule, Subject
from ocr_moe.types import Decision, DocumentRef, Record, Status
from ocr_moe.values.kinds import kind_of

_STYLES: dict[Status, Style] = {
    Status.ACCEPTED: "plain",
    Status.ABSTAINED: "unsure",
    Status.ABSENT: "absent",
    Status.FAILED: "failed",
}


def write_workbook(
    path: Path,
    records: Iterable[Record],
    schemas: Sequence[Schema],
    *,
    rows_per_sheet: int = MAX_ROWS,
) -> None:
    """Write the sheets "documents", "subjects" and "failures" in one step.

    `records` are wanted in export order; they are gone through twice where a schema groups
    documents into subjects, so a re-iterable (a list, a view of the store) keeps memory flat.
    With several schemas the sheet "documents" has the columns of all. A sheet that is full goes on
    in "documents (2)" and so on. Raises OSError, or SchemaError for a wrong subject pattern.
    """
    if isinstance(records, Iterator):
        records = list(records)
    headings = _Headings(schemas)
    rules = {
        schema.name: FileNameRule(schema.subjects)
        for schema in schemas
        if schema.subjects is not None
    }
    with writing(path, rows_per_sheet=rows_per_sheet) as book:
        documents = book.sheet("documents", headings.documents())
        subjects = book.sheet("subjects", headings.subjects())
        failures = book.sheet("failures", headings.failures())
        references: dict[str, list[DocumentRef]] = {}
        for record in records:
            documents.append(headings.document_row(record))
            _write_failures(failures, record)
            group = _group_of(record, rules)
            if group is not None:
                references.setdefault(group, []).append(record.document)
        for name, documents_of_rule in references.items():
            grouping = rules[name].group(documents_of_rule)
            for reference in grouping.unmatched:
                message = "the file name does not fit the schema's subject pattern"
                failures.append([reference.path, reference.page, name, "", "no subject", message])
            _write_subjects(subjects, headings, grouping.subjects, records)


def _group_of(record: Record, rules: Mapping[str, FileNameRule]) -> str | None:
    """The schema by whose rule the record's file name is read."""
    if record.schema_name in rules:
        return record.schema_name
    # A file that could not be read was not recognised either; its name may still say whose it is.
    return next(iter(rules)) if record.schema_name is None and len(rules) == 1 else None


def _write_subjects(
    sheet: Sheet, headings: _Headings, subjects: Sequence[Subject], records: Iterable[Record]
) -> None:
    chosen = {
        (subject.chosen.document.path, subject.chosen.document.page)
        for subject in subjects
        if subject.chosen is not None
    }
    rows: dict[tuple[str, int], list[Content]] = {}
    for record in records:
        key = (record.document.path, record.document.page)
        if key in chosen:
            rows[key] = headings.values(record)
    for subject in subjects:
        sheet.append(headings.subject_row(subject, rows))


def _write_failures(sheet: Sheet, record: Record) -> None:
    where: list[Content] = [record.document.path, record.document.page, record.schema_name or ""]
    if record.error is not None:
        sheet.append([*where, "", record.error.type, record.error.message])
    for name, decision in record.fields.items():
        if decision.status is Status.FAILED:
            sheet.append([*where, name, "field failed", "; ".join(decision.notes)])


class _Headings:
    """The columns of all schemas together, in their order."""

    def __init__(self, schemas: Sequence[Schema]) -> None:
        union: dict[str, Field] = {}
        for schema in schemas:
            for field in schema.fields:
                union.setdefault(field.name, field)
        self.fields = tuple(union.values())

    def documents(self) -> list[Column]:
        return [
            Column(self._free("document"), 36),
            Column(self._free("page"), 7, "0"),
            Column(self._free("schema"), 22),
            *self._field_columns(),
            Column(self._free("to check"), 24),
            Column(self._free("lowest confidence"), 12, "0.000"),
            Column(self._free("notes"), 40),
        ]

    def subjects(self) -> list[Column]:
        return [
            Column(self._free("subject"), 14),
            Column(self._free("degree"), 10),
            Column(self._free("kind"), 10),
            Column(self._free("document"), 36),
            Column(self._free("page"), 7, "0"),
            *self._field_columns(),
            Column(self._free("to check"), 24),
            Column(self._free("lowest confidence"), 12, "0.000"),
            Column(self._free("other documents"), 40),
            Column(self._free("notes"), 40),
        ]

    def failures(self) -> list[Column]:
        headings = ("document", "page", "schema", "field", "type", "message")
        widths = (36, 7, 22, 16, 22, 80)
        return [Column(name, width, "0") for name, width in zip(headings, widths, strict=True)]

    def document_row(self, record: Record) -> list[Content]:
        notes = [record.error.message] if record.error is not None else []
        for name, decision in record.fields.items():
            notes += [f"{name}: {note}" for note in decision.notes]
        return [
            record.document.path,
            record.document.page,
            record.schema_name or "",
            *self.values(record),
            "; ".join(notes),
        ]

    def values(self, record: Record) -> list[Content]:
        """The field cells, the fields to check, and the lowest confidence of a record."""
        cells: list[Content] = [self._cell(record, field.name) for field in self.fields]
        unsure = [
            name
            for name, decision in record.fields.items()
            if decision.status in (Status.ABSTAINED, Status.FAILED)
        ]
        confidences = [
            decision.confidence
            for decision in record.fields.values()
            if decision.confidence is not None
        ]
        to_check = "whole document" if record.error is not None else ", ".join(unsure)
        return [*cells, to_check, min(confidences) if confidences else None]

    def subject_row(
        self, subject: Subject, rows: Mapping[tuple[str, int], list[Content]]
    ) -> list[Content]:
        chosen = subject.chosen
        others = "; ".join(
            _shown(member.document) for member in subject.documents if member is not chosen
        )
        if chosen is None:
            blank: list[Content] = [None] * (len(self.fields) + 2)
            return [subject.name, "", "", "", None, *blank, others, Cell(subject.note, "unsure")]
        note = Cell(subject.note, "unsure" if subject.note else "plain")
        return [
            Cell(subject.name, "unsure" if subject.namesakes else "plain", subject.note),
            chosen.degree,
            chosen.kind,
            chosen.document.path,
            chosen.document.page,
            *rows[chosen.document.path, chosen.document.page],
            others,
            note,
        ]

    def _field_columns(self) -> list[Column]:
        return [
            Column(field.name, max(kind_of(field).width, 2 * len(field.name) + 4))
            for field in self.fields
        ]

    def _free(self, heading: str) -> str:
        """A heading of ours that no field of the schemas carries."""
        taken = {field.name for field in self.fields}
        while heading in taken:
            heading += " *"
        return heading

    def _cell(self, record: Record, name: str) -> Content:
        decision = record.fields.get(name)
        if decision is None:
            failed = record.error is not None
            return Cell(None, "failed") if failed else None
        style = _STYLES[decision.status]
        note = _note(decision) if style in ("unsure", "failed") else ""
        return Cell(decision.value, style, note)


def _note(decision: Decision) -> str:
    if decision.status is Status.FAILED:
        parts = ["failed: no expert could answer"]
    elif decision.confidence is None:
        parts = ["please check"]
    else:
        parts = [f"please check: confidence {decision.confidence:.3f}"]
    if decision.evidence is not None and decision.evidence.text != decision.value:
        parts.append(f"as printed: {decision.evidence.text}")
    return "\n".join([*parts, *decision.notes])


def _shown(document: DocumentRef) -> str:
    return document.path if document.page == 1 else f"{document.path} (page {document.page})"

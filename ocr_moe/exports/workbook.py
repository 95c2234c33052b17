"""records.xlsx: a row a document, a row a subject, what must be cleared up, and the failures.

The sheets are built so that a person can work in them: what is sure is plain, what a person should
look at is coloured and carries the confidence in a note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from ocr_moe.formats.xlsx import MAX_ROWS, Cell, Computed, Content, Style, writing
from ocr_moe.schema import Field, Schema
from ocr_moe.subjects import (
    DocumentKey,
    FileNameRule,
    NamedDocument,
    NameRead,
    Subject,
    key_of,
    name_read,
    shown,
)
from ocr_moe.types import Conflict, ConflictKind, Decision, DocumentRef, Record, Status
from ocr_moe.values.kinds import kind_of

_STYLES: dict[Status, Style] = {
    Status.ACCEPTED: "plain",
    Status.ABSTAINED: "unsure",
    Status.ABSENT: "absent",
    Status.FAILED: "failed",
}


class _Failure(NamedTuple):
    """A row of the sheet "failures"."""

    document: DocumentRef
    schema: str
    field: str
    type: str
    message: str


class _ToClearUp(NamedTuple):
    """A row of the sheet "to clear up"."""

    document: DocumentRef
    conflict: Conflict


class _SubjectRow(NamedTuple):
    """A row of the sheet "subjects"."""

    subject: Subject
    shown: Sequence[Content]
    """Of the chosen document, what `_shown_columns` hold; else blanks."""


def write_workbook(
    path: Path,
    records: Iterable[Record],
    schemas: Sequence[Schema],
    *,
    rows_per_sheet: int = MAX_ROWS,
    told: Mapping[DocumentKey, str] = {},
) -> int:
    """Write the sheets "documents", "subjects", "to clear up" and "failures" in one step; how many
    documents.

    `records` are wanted in export order; they are gone through twice where a schema groups
    documents into subjects, so a re-iterable (a list, a view of the store) keeps memory flat.
    With several schemas the sheet "documents" has the columns of all. A sheet that is full goes on
    in "documents (2)" and so on. Raises OutputError, or SchemaError for a wrong subject pattern.
    """
    if isinstance(records, Iterator):
        records = list(records)
    fields = _fields_of(schemas)
    rules = {
        schema.name: (schema, FileNameRule(schema.subjects, told))
        for schema in schemas
        if schema.subjects is not None
    }
    count = 0
    with writing(path, rows_per_sheet=rows_per_sheet) as book:
        documents = book.table("documents", _document_columns(fields))
        subjects = book.table("subjects", _subject_columns(fields))
        to_clear_up = book.table("to clear up", _CONFLICT_COLUMNS)
        failures = book.table("failures", _FAILURE_COLUMNS)
        references: dict[str, list[DocumentRef]] = {}
        read: dict[DocumentKey, NameRead] = {}
        for record in records:
            count += 1
            documents.add(record)
            for conflict in record.conflicts:
                to_clear_up.add(_ToClearUp(record.document, conflict))
            for failure in _failures_of(record):
                failures.add(failure)
            group = _group_of(record, rules)
            if group is not None and not record.blank and record.set_aside is None:
                references.setdefault(group, []).append(record.document)
                name = name_read(rules[group][0], _values(record))
                if name is not None:
                    read[key_of(record.document)] = name
        for schema_name, documents_of_rule in references.items():
            grouping = rules[schema_name][1].group(documents_of_rule, read)
            for reference in grouping.unmatched:
                message = (
                    "the file name does not fit the schema's subject pattern, nor was a name read"
                )
                failures.add(_Failure(reference, schema_name, "", "no subject", message))
            for row in _subject_rows(grouping.subjects, records, fields):
                subjects.add(row)
    return count


def to_check(record: Record) -> list[str]:
    """The fields at which a person should look."""
    statuses = (Status.ABSTAINED, Status.FAILED)
    return [name for name, decision in record.fields.items() if decision.status in statuses]


def _document_columns(fields: Sequence[Field]) -> list[Computed[Record]]:
    free = _Free(fields)
    return [
        Computed(free("document"), 36, lambda record: record.document.path),
        Computed(free("page"), 7, lambda record: record.document.page, "0"),
        Computed(free("schema"), 22, lambda record: record.schema_name or ""),
        *_shown_columns(fields),
        Computed(free("notes"), 40, _notes),
        Computed(free("part"), 7, lambda record: record.document.part, "0"),
    ]


def _shown_columns(fields: Sequence[Field]) -> list[Computed[Record]]:
    """What the sheets "documents" and "subjects" both show of a record."""
    free = _Free(fields)
    return [
        *(Computed(field.name, _width(field), partial(_cell, name=field.name)) for field in fields),
        Computed(free("to check"), 24, _to_check),
        Computed(free("lowest confidence"), 12, _lowest_confidence, "0.000"),
    ]


def _subject_columns(fields: Sequence[Field]) -> list[Computed[_SubjectRow]]:
    free = _Free(fields)
    return [
        Computed(free("subject"), 14, _subject_name),
        Computed(free("degree"), 10, lambda row: _of_chosen(row, lambda chosen: chosen.degree)),
        Computed(free("kind"), 10, lambda row: _of_chosen(row, lambda chosen: chosen.kind)),
        Computed(
            free("document"), 36, lambda row: _of_chosen(row, lambda chosen: chosen.document.path)
        ),
        Computed(
            free("page"), 7, lambda row: _of_chosen(row, lambda chosen: chosen.document.page), "0"
        ),
        *(
            Computed(column.heading, column.width, partial(_shown_at, index=index), column.number)
            for index, column in enumerate(_shown_columns(fields))
        ),
        Computed(free("other documents"), 40, _other_documents),
        Computed(free("notes"), 40, _subject_note),
        Computed(
            free("part"), 7, lambda row: _of_chosen(row, lambda chosen: chosen.document.part), "0"
        ),
    ]


_FAILURE_COLUMNS: list[Computed[_Failure]] = [
    Computed("document", 36, lambda failure: failure.document.path),
    Computed("page", 7, lambda failure: failure.document.page, "0"),
    Computed("schema", 22, lambda failure: failure.schema),
    Computed("field", 16, lambda failure: failure.field),
    Computed("type", 22, lambda failure: failure.type),
    Computed("message", 80, lambda failure: failure.message),
    Computed("part", 7, lambda failure: failure.document.part, "0"),
]


_CONFLICT_COLUMNS: list[Computed[_ToClearUp]] = [
    Computed("document", 36, lambda row: row.document.path),
    Computed("page", 7, lambda row: row.document.page, "0"),
    Computed("field", 16, lambda row: ", ".join(row.conflict.fields)),
    Computed("what", 18, lambda row: _WHAT[row.conflict.kind]),
    Computed("message", 80, lambda row: row.conflict.message),
    Computed("other documents", 48, lambda row: "; ".join(row.conflict.documents)),
    Computed("part", 7, lambda row: row.document.part, "0"),
]
_WHAT: Mapping[ConflictKind, str] = {
    ConflictKind.FILE_NAME: "file name and page differ",
    ConflictKind.DIFFERS: "documents differ",
    ConflictKind.SAME_NUMBER: "number used twice",
    ConflictKind.COPY: "handed in twice",
    ConflictKind.NAMESAKES: "several of one name",
    ConflictKind.FAR_APART: "dates far apart",
}


def _values(record: Record) -> dict[str, str]:
    """Field → value, of the fields that have one."""
    fields = record.fields.items()
    return {name: decision.value for name, decision in fields if decision.value is not None}


def _fields_of(schemas: Sequence[Schema]) -> tuple[Field, ...]:
    """The fields of all schemas together, in their order."""
    union: dict[str, Field] = {}
    for schema in schemas:
        for field in schema.fields:
            union.setdefault(field.name, field)
    return tuple(union.values())


class _Free:
    """Makes a heading of ours one that no field of the schemas carries."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._taken = {field.name for field in fields}

    def __call__(self, heading: str) -> str:
        while heading in self._taken:
            heading += " *"
        return heading


def _width(field: Field) -> float:
    return max(kind_of(field).width, 2 * len(field.name) + 4)


def _group_of(record: Record, rules: Mapping[str, tuple[Schema, FileNameRule]]) -> str | None:
    """The schema by whose rule the record's file name is read."""
    if record.schema_name in rules:
        return record.schema_name
    # A file that could not be read was not recognised either; its name may still say whose it is.
    return next(iter(rules)) if record.schema_name is None and len(rules) == 1 else None


def _failures_of(record: Record) -> Iterator[_Failure]:
    schema = record.schema_name or ""
    if record.error is not None:
        yield _Failure(record.document, schema, "", record.error.type, record.error.message)
    for name, decision in record.fields.items():
        if decision.status is Status.FAILED:
            notes = "; ".join(decision.notes)
            yield _Failure(record.document, schema, name, "field failed", notes)


def _subject_rows(
    subjects: Sequence[Subject], records: Iterable[Record], fields: Sequence[Field]
) -> Iterator[_SubjectRow]:
    columns = _shown_columns(fields)
    chosen = {key_of(s.chosen.document) for s in subjects if s.chosen is not None}
    contents: dict[DocumentKey, list[Content]] = {}
    for record in records:
        key = key_of(record.document)
        if key in chosen:
            contents[key] = [column.content(record) for column in columns]
    blank: list[Content] = [None] * len(columns)
    for subject in subjects:
        of_chosen = blank if subject.chosen is None else contents[key_of(subject.chosen.document)]
        yield _SubjectRow(subject, of_chosen)


def _notes(record: Record) -> str:
    notes = [record.error.message] if record.error is not None else []
    if record.blank:
        notes.append("blank page")
    if record.set_aside is not None:
        notes.append(f"none of the run's kinds of document, says {record.set_aside}")
    for name, decision in record.fields.items():
        notes += [f"{name}: {note}" for note in decision.notes]
    return "; ".join(notes)


def _cell(record: Record, name: str) -> Content:
    decision = record.fields.get(name)
    if decision is None:
        return Cell(None, "failed") if record.error is not None else None
    style = _STYLES[decision.status]
    note = _note(decision) if style in ("unsure", "failed") else ""
    return Cell(decision.value, style, note)


def _to_check(record: Record) -> str:
    return "whole document" if record.error is not None else ", ".join(to_check(record))


def _lowest_confidence(record: Record) -> float | None:
    confidences = [
        decision.confidence
        for decision in record.fields.values()
        if decision.confidence is not None
    ]
    return min(confidences) if confidences else None


def _subject_name(row: _SubjectRow) -> Content:
    subject = row.subject
    if subject.chosen is None:
        return subject.name
    return Cell(subject.name, "unsure" if subject.namesakes else "plain", subject.note)


def _subject_note(row: _SubjectRow) -> Cell:
    unsure = bool(row.subject.note) or row.subject.chosen is None
    return Cell(row.subject.note, "unsure" if unsure else "plain")


def _of_chosen(row: _SubjectRow, content: Callable[[NamedDocument], Content]) -> Content:
    return None if row.subject.chosen is None else content(row.subject.chosen)


def _shown_at(row: _SubjectRow, index: int) -> Content:
    return row.shown[index]


def _other_documents(row: _SubjectRow) -> str:
    return "; ".join(
        shown(member.document)
        for member in row.subject.documents
        if member is not row.subject.chosen
    )


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

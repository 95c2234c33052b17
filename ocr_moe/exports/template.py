"""A verified sheet to be filled in: empty for a schema, or with the documents and values of a run.

Only what a person vouches for may count as verified. In a sheet that was filled in beforehand,
therefore, what the program is not sure of is left empty, with its guess in a note, and no row counts
before somebody marks it in the column "checked" (`ocr_moe.evaluation.truth.sheet` reads it so). An empty
sheet has no such column: whatever stands in it somebody typed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ocr_moe.exports.workbook.cells import width_of
from ocr_moe.formats.phrases import LANGUAGES, Language, Phrase, Words
from ocr_moe.formats.recordbook import heading
from ocr_moe.formats.recordbook import said as said_of_records
from ocr_moe.formats.xlsx import Book, Cell, Column, Computed, Content, writing
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.types import DOUBTFUL, Decision, Record, Status

EMPTY_ROWS = 500
"""Rows below the headings of an empty sheet that have the lists to choose from."""
_WORDS = Words("ocr_moe.exports", "template.yaml")
_DOCUMENT_WIDTH = 36


@dataclass(frozen=True)
class _Row:
    """A document of a run, or nothing yet; on the sheet of a table, a row of it."""

    record: Record | None = None
    cells: Mapping[str, Decision] | None = None
    """Of the row of a table; None for a document."""

    def decision(self, name: str) -> Decision | None:
        if self.cells is not None:
            return self.cells.get(name)
        return None if self.record is None else self.record.fields.get(name)


def write_template(
    path: Path, schema: Schema, *, language: Language = "en", absent: str = "无"
) -> None:
    """Write an empty verified sheet for a schema, and how to fill it in.

    `absent` is what is written where the document has no such thing. Raises OutputError.
    """
    with writing(path) as book:
        sheet = book.table(schema.name, _columns(schema, language, absent, of_run=False), frozen=1)
        for _ in range(EMPTY_ROWS):
            sheet.add(_Row())
        for field in schema.tables:
            columns = _row_columns(field, language, absent, of_run=False)
            rows = book.table(field.name, columns, frozen=1)
            for _ in range(EMPTY_ROWS):
                rows.add(_Row())
        _write_how(book, [schema], language, absent, of_run=False)


def write_prefilled(
    path: Path,
    records: Iterable[Record],
    schemas: Sequence[Schema],
    *,
    language: Language = "en",
    absent: str = "无",
) -> int:
    """Write a verified sheet for each schema with the documents of a run; how many documents.

    `records` are gone through once, in the order of the rows. Documents of no known schema are listed
    on a sheet of their own, where there are several schemas. Raises OutputError.
    """
    rows: dict[str, list[Record]] = {schema.name: [] for schema in schemas}
    others: list[Record] = []
    for record in records:
        if record.blank:
            continue
        name = record.schema_name
        if name is None and len(schemas) == 1:
            name = schemas[0].name
        rows.get(name or "", others).append(record)
    used = [schema for schema in schemas if rows[schema.name]] or schemas[:1]
    with writing(path) as book:
        for schema in used:
            columns = _columns(schema, language, absent, of_run=True)
            sheet = book.table(schema.name, columns, frozen=1)
            for record in rows[schema.name]:
                sheet.add(_Row(record))
        for schema in used:
            for field in schema.tables:
                columns = _row_columns(field, language, absent, of_run=True)
                name = f"{schema.name} {field.name}" if len(used) > 1 else field.name
                sheet = book.table(name, columns, frozen=1)
                for record in rows[schema.name]:
                    decision = record.fields.get(field.name)
                    # A table of which nothing was read has a row to begin with.
                    for cells in (decision.rows if decision is not None else ()) or ({},):
                        sheet.add(_Row(record, cells))
        _write_how(book, used, language, absent, of_run=True)
        if others:
            head = partial(heading, language=language)
            other_pages = said_of_records("sheet_other_pages", language)
            left = book.sheet(
                other_pages,
                [Column(head("document"), _DOCUMENT_WIDTH), Column(head("message"), 80)],
            )
            for record in others:
                left.append([record.document.path, record.error.message if record.error else ""])
    return sum(map(len, rows.values()))


def _said(key: str, language: Language, **values: object) -> str:
    return _WORDS.filled(Phrase(key, values), language, str)


def _columns(
    schema: Schema, language: Language, absent: str, *, of_run: bool
) -> list[Computed[_Row]]:
    return _columns_of(schema.one_valued, schema.names, language, absent, _checked, of_run=of_run)


def _row_columns(
    table: Field, language: Language, absent: str, *, of_run: bool
) -> list[Computed[_Row]]:
    names = [column.name for column in table.columns]
    return _columns_of(table.columns, names, language, absent, _checked_row, of_run=of_run)


def _columns_of(
    fields: Sequence[Field],
    names: Sequence[str],
    language: Language,
    absent: str,
    by: Callable[[_Row], Content],
    *,
    of_run: bool,
) -> list[Computed[_Row]]:
    head = partial(heading, language=language, fields=names)
    warning = (_said("choices_title", language), _said("choices_message", language))
    places = [
        Computed(head("page"), 7, _page, "0"),
        Computed(head("part"), 7, _part, "0"),
    ]
    checked = Computed(head("checked"), 14, by, note=_said("note_checked", language))
    return [
        Computed(head("document"), _DOCUMENT_WIDTH, _path),
        *(places if of_run else ()),
        *(
            Computed(
                field.name,
                width_of(field),
                partial(_cell, field=field, language=language, absent=absent),
                note=field.description,
                choices=(*field.values, absent) if field.kind is Kind.ENUM else (),
                warning=warning,
            )
            for field in fields
        ),
        *([checked] if of_run else ()),
    ]


def _single(schema: Schema) -> list[Field]:
    """What has one value a row: the fields of documents, and the columns of tables."""
    columns = [column for table in schema.tables for column in table.columns]
    return [*schema.one_valued, *columns]


def _path(row: _Row) -> Content:
    return row.record.document.path if row.record is not None else None


def _page(row: _Row) -> Content:
    return row.record.document.page if row.record is not None else None


def _part(row: _Row) -> Content:
    return row.record.document.part if row.record is not None else None


def _checked(row: _Row) -> Content:
    """Who checked the row: known where people verified every cell of it."""
    return _by(list(row.record.fields.values()) if row.record is not None else [])


def _checked_row(row: _Row) -> Content:
    """The same of the row of a table."""
    return _by(list(row.cells.values()) if row.cells is not None else [])


def _by(decisions: Sequence[Decision]) -> Content:
    if not decisions or any(each.status is not Status.VERIFIED for each in decisions):
        return None
    return ", ".join(dict.fromkeys(each.reviewer or "?" for each in decisions))


def _cell(row: _Row, field: Field, language: Language, absent: str) -> Content:
    """A value that the program stands by; else nothing, and its guess in a note."""
    if row.record is None:
        return None
    decision = row.decision(field.name)
    if decision is None:
        return Cell(None, "failed", _said("nothing_read", language))
    if decision.status in DOUBTFUL:
        return Cell(None, "unsure" if decision.value else "failed", _guess(decision, language))
    if decision.value is None:
        return Cell(absent, "absent")
    return Cell(decision.value, "verified" if decision.status is Status.VERIFIED else "plain")


def _guess(decision: Decision, language: Language) -> str:
    if decision.value is None:
        return _said("nothing_read", language)
    if decision.confidence is None:
        return _said("guess", language, value=decision.value)
    return _said(
        "guess_confidence",
        language,
        value=decision.value,
        confidence=f"{decision.confidence:.3f}",
    )


def _write_how(
    book: Book, schemas: Sequence[Schema], language: Language, absent: str, *, of_run: bool
) -> None:
    """The instructions, in the language of the headings and then in the other one."""
    sheet = book.sheet(_said("sheet_how", language), [Column("", 110)], header=False)
    for spoken in sorted(LANGUAGES, key=lambda each: each != language):
        told = partial(_said, language=spoken)
        names = [schema.name for schema in schemas]
        sheet.append([Cell(told("how_title", sheet=names), "title")])
        head = partial(heading, language=language)
        lines = [
            told("how_row", document=head("document")),
            *(
                told("how_rows", table=field.name, document=head("document"))
                for schema in schemas
                for field in schema.tables
            ),
            *([told("how_coloured"), told("how_filled")] if of_run else []),
            told("how_values"),
            told("how_dates"),
            told("how_absent", absent=absent),
            *(
                told("how_choices", field=field.name, values=[*field.values, absent])
                for schema in schemas
                for field in _single(schema)
                if field.kind is Kind.ENUM
            ),
            *([told("how_checked", checked=head("checked"))] if of_run else []),
            told("how_back"),
        ]
        for line in lines:
            sheet.append([f"· {line}"])
        sheet.append([])

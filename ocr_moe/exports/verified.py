"""verified.xlsx: what people vouch for, and nothing else.

A sheet a schema with the cells that are verified; `ocr-moe evaluate --truth` reads it back.  A cell
that nobody checked is empty, however sure the run is of it.  A sheet of its own tells who said what.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ocr_moe.exports.workbook.cells import cell_of, width_of
from ocr_moe.formats.phrases import Language, Phrase, Words
from ocr_moe.formats.xlsx import Cell, Column, Computed, Content, writing
from ocr_moe.schema import Field, Schema
from ocr_moe.types import Decision, DocumentRef, JudgementKind, Record, Status
from ocr_moe.values.tables import table_rows

TARGET = "verified.xlsx"
"""Name of the file within a run."""
_ABSENT = "无"
"""What is written where people say that a field is not on a document; truth sheets are read so."""
_WORDS = Words("ocr_moe.exports", "verified.yaml")


@dataclass(frozen=True, slots=True)
class PersonsWord:
    """A judgement that counts, beside what was read."""

    document: DocumentRef
    kind: JudgementKind
    field: str
    """Of the kind `value`."""
    before: str | None
    """What the run had read, before people and other documents had their say."""
    after: str | None
    reviewer: str
    at: str
    """ISO 8601 in UTC."""
    via: str


def write_verified(
    path: Path,
    records: Iterable[Record],
    schemas: Sequence[Schema],
    said: Iterable[PersonsWord],
    language: Language = "en",
) -> int:
    """Write the workbook in one step; how many cells are verified.

    `records` are gone through once, in the order of the rows. Raises OutputError.
    """
    text = partial(_said, language=language)
    counts: Counter[str] = Counter()
    several = len(schemas) > 1
    with writing(path) as book:
        legend = book.sheet(text("sheet_legend"), [Column("", 34), Column("", 74)])
        sheets = {
            schema.name: book.table(schema.name, _columns(schema, language)) for schema in schemas
        }
        tables = {
            (schema.name, field.name): book.table(
                f"{schema.name} {field.name}" if several else field.name,
                _row_columns(field, language),
            )
            for schema in schemas
            for field in schema.tables
        }
        for record in records:
            if record.schema_name in sheets and record.fields:
                sheets[record.schema_name].add(record)
            for (schema_name, name), rows in tables.items():
                if schema_name == record.schema_name and (of := record.fields.get(name)):
                    for row in _vouched(record, of):
                        rows.add(row)
                    counts["rows_left_out"] += bool(of.rows) and of.status is not Status.VERIFIED
            counts["documents"] += not record.blank
            counts["failed"] += record.error is not None
            counts["set_aside"] += record.set_aside is not None
            for decision in record.fields.values():
                counts["cells"] += 1
                counts["verified"] += decision.status is Status.VERIFIED
        names = {field.name for schema in schemas for field in schema.tables}
        words = book.table(text("sheet_words"), _word_columns(language, names))
        for each in said:
            words.add(each)
        counts["left_out"] = counts["cells"] - counts["verified"]
        legend.append([Cell(text("title"), "strong"), text("what_it_is")])
        told = ["documents", "failed", "set_aside", "cells", "verified", "left_out"]
        if tables:
            told.append("rows_left_out")
        for key in told:
            legend.append([text(f"n_{key}"), counts[key]])
        for key in ("empty", "absent", "back"):
            legend.append([Cell(text(f"legend_{key}"), "muted"), text(f"legend_{key}_means")])
    return counts["verified"]


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a table that people vouch for."""

    record: Record
    cells: Mapping[str, Decision]
    """Empty where they say that the document has no such table."""


def _vouched(record: Record, table: Decision) -> Iterator[_Row]:
    """The rows of a table that a person verified as a whole: of one that they looked at in part,
    nobody says that it has these rows and no others."""
    if table.status is Status.VERIFIED:
        for row in table.rows or ({},):
            yield _Row(record, row)


def _heading(key: str, taken: Set[str], language: Language) -> str:
    found = _said(key, language=language)
    return f"{found} *" if found in taken else found


def _row_columns(table: Field, language: Language) -> list[Computed[_Row]]:
    heading = partial(_heading, taken={c.name for c in table.columns}, language=language)
    return [
        Computed(heading("document"), 40, lambda row: row.record.document.path),
        Computed(heading("page"), 7, lambda row: row.record.document.page, "0"),
        Computed(heading("part"), 7, lambda row: row.record.document.part, "0"),
        *(
            Computed(each.name, width_of(each), partial(_row_cell, column=each))
            for each in table.columns
        ),
    ]


def _row_cell(row: _Row, column: Field) -> Content:
    decision = row.cells.get(column.name)
    if decision is None or decision.value is None:
        return Cell(_ABSENT, "absent")
    return cell_of(column, decision.value)


def _columns(schema: Schema, language: Language) -> list[Computed[Record]]:
    heading = partial(_heading, taken={f.name for f in schema.fields}, language=language)
    return [
        Computed(heading("document"), 40, lambda record: record.document.path),
        Computed(heading("page"), 7, lambda record: record.document.page, "0"),
        Computed(heading("part"), 7, lambda record: record.document.part, "0"),
        *(
            Computed(each.name, width_of(each), partial(_cell, field=each))
            for each in schema.one_valued
        ),
    ]


def _cell(record: Record, field: Field) -> Content:
    decision = record.fields.get(field.name)
    if decision is None or decision.status is not Status.VERIFIED:
        return None
    if decision.value is None:
        return Cell(_ABSENT, "absent")
    return cell_of(field, decision.value)


def _word_columns(language: Language, tables: Set[str]) -> list[Computed[PersonsWord]]:
    text = partial(_said, language=language)

    def short(word: PersonsWord, value: Content) -> Content:
        """Of a table, how many rows it has; they stand on its own sheet."""
        rows = table_rows(value) if word.field in tables and isinstance(value, str) else []
        return _WORDS.filled(Phrase("rows", {"n": len(rows)}), language, str) if rows else value

    return [
        Computed(text("document"), 40, lambda each: each.document.path),
        Computed(text("page"), 7, lambda each: each.document.page, "0"),
        Computed(text("part"), 7, lambda each: each.document.part, "0"),
        Computed(text("about"), 18, lambda each: each.field or text(f"kind_{each.kind.value}")),
        Computed(text("before"), 30, lambda each: short(each, each.before)),
        Computed(text("after"), 30, lambda each: short(each, _after(each, language))),
        Computed(text("changed"), 10, lambda each: text("yes") if _is_changed(each) else None),
        Computed(text("who"), 16, lambda each: each.reviewer),
        Computed(text("when"), 26, lambda each: each.at),
        Computed(text("via"), 16, lambda each: each.via),
    ]


def _is_changed(word: PersonsWord) -> bool:
    return word.kind is not JudgementKind.VALUE or word.before != word.after


def _after(word: PersonsWord, language: Language) -> Content:
    if word.after is not None:
        return word.after
    if word.kind is JudgementKind.VALUE:
        return Cell(_ABSENT, "absent")
    return _said("none_fits" if word.kind is JudgementKind.SCHEMA else "", language=language)


def _said(key: str, *, language: Language) -> str:
    return _WORDS.filled(Phrase(key), language, str) if key else ""

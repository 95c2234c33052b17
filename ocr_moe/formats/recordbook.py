"""What records.xlsx is made of, for the module that writes it and the one that reads it back.

A person corrects the workbook and marks what they looked at. What they changed can be told because the
workbook carries, on a sheet that spreadsheets do not offer to show, what was written into it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ocr_moe.formats.phrases import LANGUAGES, Language, Phrase, Words
from ocr_moe.formats.xlsx import cell_text
from ocr_moe.types import Decision, Record, Status

WORDS = Words("ocr_moe.formats", "recordbook.yaml")
WRITTEN_SHEET = "written"
WRITTEN_HEADINGS = ("document", "page", "part", "sha256", "schema", "strategy", "cells as written")
ABSENT_MARK = "无"
"""What a person writes where the document has no such thing."""
_PLACES = 6
"""Of a confidence."""
_json = json.JSONEncoder(ensure_ascii=False).encode
_LONGEST = 30_000
"""Characters of a cell of the sheet of what was written; Excel takes 32,767."""
_LONGEST_ROW = _LONGEST - 500
"""Of the rows of a table in such a cell: its name stands before them."""


def said(key: str, language: Language, **values: object) -> str:
    """A phrase of recordbook.yaml as text. Raises KeyError."""
    return WORDS.filled(Phrase(key, values), language, str)


def heading(key: str, language: Language, fields: Collection[str] = ()) -> str:
    """How a column of ours is headed on a sheet with columns of these fields: fields go first."""
    text = WORDS.unfilled(f"head_{key}", language)
    while text in fields:
        text += " *"
    return text


def headings(key: str, fields: Collection[str] = ()) -> tuple[str, ...]:
    """The same in every language."""
    return tuple(heading(key, language, fields) for language in LANGUAGES)


class DocumentId(NamedTuple):
    """Which document a row is about, as its cells say it."""

    path: str
    page: int
    part: int


@dataclass(frozen=True, slots=True)
class WrittenCell:
    """A cell as it was written."""

    value: str | None
    status: str
    confidence: float | None = None
    reviewer: str | None = None
    """Of a verified cell, and when."""
    at: str | None = None


@dataclass(frozen=True, slots=True)
class WrittenTable:
    """A table as it was written."""

    status: str
    confidence: float | None
    reviewer: str | None
    at: str | None
    rows: Mapping[int, Mapping[str, WrittenCell]]
    """Number of the row, counted from 1 → column → cell."""


@dataclass(frozen=True, slots=True)
class WrittenDocument:
    """A document as it was written: of which content, as what, its cells by field, and its tables."""

    sha256: str
    schema: str
    strategy: str
    cells: Mapping[str, WrittenCell]
    tables: Mapping[str, WrittenTable] = field(default_factory=dict)


def written_document(record: Record) -> WrittenDocument:
    """A record as the workbook holds it."""
    cells = {name: _cell_of(each) for name, each in record.fields.items() if not each.rows}
    tables = {
        name: WrittenTable(
            each.status.value,
            each.confidence,
            each.reviewer,
            each.at,
            {
                number: {column: _cell_of(cell) for column, cell in row.items()}
                for number, row in enumerate(each.rows, 1)
            },
        )
        for name, each in record.fields.items()
        if each.rows
    }
    schema = record.schema_name or ""
    return WrittenDocument(record.document.sha256, schema, record.strategy, cells, tables)


def _cell_of(decision: Decision) -> WrittenCell:
    said = (decision.reviewer, decision.at) if decision.reviewer is not None else ()
    return WrittenCell(decision.value, decision.status.value, decision.confidence, *said)


def written_rows(document: DocumentId, what: WrittenDocument) -> Iterator[tuple[str | int, ...]]:
    """The rows of the sheet `WRITTEN_SHEET` for a document: one, or more where its values are long.

    A value that no cell can hold is left out: that it was changed cannot be told.
    """
    head = (*document, what.sha256, what.schema, what.strategy)
    some: list[str] = []
    length = 0
    for name, cell in what.cells.items():
        text = _json(name) + ": " + _json(_said_of(cell))
        size = len(text) + len("{}")
        if size > _LONGEST:
            continue
        if length + size > _LONGEST:
            yield (*head, "{" + ", ".join(some) + "}")
            some, length = [], 0
        some.append(text)
        length += size
    yield (*head, "{" + ", ".join(some) + "}")
    for name, table in what.tables.items():
        for text in _parts_of(table):
            yield (*head, "{" + _json(name) + ": {" + text + "}}")


def _parts_of(table: WrittenTable) -> Iterator[str]:
    """A table as texts that a cell of the sheet holds, each some rows of it; under no number, itself."""
    own = WrittenCell(None, table.status, table.confidence, table.reviewer, table.at)
    some = [_json("") + ": " + _json(_said_of(own))]
    length = len(some[0])
    for number, row in table.rows.items():
        said = {column: _said_of(cell) for column, cell in row.items()}
        text = _json(str(number)) + ": " + _json(said)
        if len(text) > _LONGEST_ROW:
            continue
        if length + len(text) > _LONGEST_ROW:
            yield ", ".join(some)
            some, length = [], 0
        some.append(text)
        length += len(text) + len(", ")
    yield ", ".join(some)


def _said_of(cell: WrittenCell) -> list[object]:
    confidence = None if cell.confidence is None else round(cell.confidence, _PLACES)
    said: list[object] = [cell.value, cell.status, confidence]
    if cell.reviewer is not None:
        said += [cell.reviewer, cell.at]
    return said


def is_written(cells: Sequence[str | None]) -> bool:
    """Whether a sheet that begins with this row says what was written."""
    return tuple(cells) == WRITTEN_HEADINGS


def read_written(rows: Iterable[Sequence[str | None]]) -> dict[DocumentId, WrittenDocument]:
    """What such rows say; those that somebody spoilt are passed over."""
    found: dict[DocumentId, WrittenDocument] = {}
    for row in rows:
        document = _document(row)
        told = _told(row[-1] if row else None)
        if document is None or told is None or len(row) != len(WRITTEN_HEADINGS):
            continue
        sha256, schema, strategy = (text or "" for text in row[3:6])
        cells, tables = told
        before = found.get(document)
        if before is not None:
            cells = {**before.cells, **cells}
            tables = {**before.tables, **{n: _joined(before, n, t) for n, t in tables.items()}}
        found[document] = WrittenDocument(sha256, schema, strategy, cells, tables)
    return found


def _joined(before: WrittenDocument, name: str, more: WrittenTable) -> WrittenTable:
    """A table with further rows of it."""
    first = before.tables.get(name)
    return more if first is None else replace(first, rows={**first.rows, **more.rows})


def document_id(path: str, page: int, part: int) -> DocumentId:
    """A document as the cells of its row say it: paths may have characters that no cell holds."""
    return DocumentId(cell_text(path), page, part)


def _document(row: Sequence[str | None]) -> DocumentId | None:
    path, page, part = (*row[:3], None, None, None)[:3]
    if not path or not _is_number(page) or not _is_number(part):
        return None
    return DocumentId(path, int(page or 1), int(part or 1))


def _is_number(text: str | None) -> bool:
    return text is not None and text.isdecimal() and len(text) < 10


def _cell(
    value: Any, status: Any, confidence: Any, reviewer: Any = None, at: Any = None
) -> WrittenCell:
    """Raises TypeError or ValueError for what nobody wrote here."""
    for text in (value, reviewer, at):
        if not isinstance(text, str | None):
            raise TypeError
    if not (confidence is None or (isinstance(confidence, int | float) and 0 <= confidence <= 1)):
        raise ValueError
    return WrittenCell(value, Status(status).value, confidence, reviewer, at)


def _told(text: str | None) -> tuple[dict[str, WrittenCell], dict[str, WrittenTable]] | None:
    """The cells and the tables, or some rows of them, that a text tells of."""
    try:
        data = json.loads(text or "")
        cells = {str(name): _cell(*said) for name, said in data.items() if isinstance(said, list)}
        tables = {str(name): _table(said) for name, said in data.items() if isinstance(said, dict)}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return None if len(cells) + len(tables) < len(data) else (cells, tables)


def _table(said: Mapping[str, Any]) -> WrittenTable:
    """Raises TypeError, ValueError or AttributeError for what nobody wrote here."""
    own = _cell(*said.get("", (None, Status.ABSTAINED, None)))
    rows = {
        int(number): {str(column): _cell(*cell) for column, cell in row.items()}
        for number, row in said.items()
        if number
    }
    return WrittenTable(own.status, own.confidence, own.reviewer, own.at, rows)

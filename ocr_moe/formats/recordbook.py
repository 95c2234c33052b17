"""What records.xlsx is made of, for the module that writes it and the one that reads it back.

A person corrects the workbook and marks what they looked at. What they changed can be told because the
workbook carries, on a sheet that spreadsheets do not offer to show, what was written into it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ocr_moe.formats.phrases import LANGUAGES, Language, Phrase, Words
from ocr_moe.formats.xlsx import cell_text
from ocr_moe.types import Record, Status

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
class WrittenDocument:
    """A document as it was written: of which content, as what, and its cells by field."""

    sha256: str
    schema: str
    strategy: str
    cells: Mapping[str, WrittenCell]


def written_document(record: Record) -> WrittenDocument:
    """A record as the workbook holds it."""
    cells = {
        name: WrittenCell(
            decision.value,
            decision.status.value,
            decision.confidence,
            *((decision.reviewer, decision.at) if decision.reviewer is not None else ()),
        )
        for name, decision in record.fields.items()
        if not decision.rows  # of a table nothing is read back
    }
    schema = record.schema_name or ""
    return WrittenDocument(record.document.sha256, schema, record.strategy, cells)


def written_rows(document: DocumentId, what: WrittenDocument) -> Iterator[tuple[str | int, ...]]:
    """The rows of the sheet `WRITTEN_SHEET` for a document: one, or more where its values are long.

    A value that no cell can hold is left out: that it was changed cannot be told.
    """
    head = (*document, what.sha256, what.schema, what.strategy)
    some: list[str] = []
    length = 0
    for name, cell in what.cells.items():
        confidence = None if cell.confidence is None else round(cell.confidence, _PLACES)
        said: list[object] = [cell.value, cell.status, confidence]
        if cell.reviewer is not None:
            said += [cell.reviewer, cell.at]
        text = _json(name) + ": " + _json(said)
        size = len(text) + len("{}")
        if size > _LONGEST:
            continue
        if length + size > _LONGEST:
            yield (*head, "{" + ", ".join(some) + "}")
            some, length = [], 0
        some.append(text)
        length += size
    yield (*head, "{" + ", ".join(some) + "}")


def is_written(cells: Sequence[str | None]) -> bool:
    """Whether a sheet that begins with this row says what was written."""
    return tuple(cells) == WRITTEN_HEADINGS


def read_written(rows: Iterable[Sequence[str | None]]) -> dict[DocumentId, WrittenDocument]:
    """What such rows say; those that somebody spoilt are passed over."""
    found: dict[DocumentId, WrittenDocument] = {}
    for row in rows:
        document = _document(row)
        cells = _cells(row[-1] if row else None)
        if document is None or cells is None or len(row) != len(WRITTEN_HEADINGS):
            continue
        sha256, schema, strategy = (text or "" for text in row[3:6])
        before = found.get(document)
        if before is not None:
            cells = {**before.cells, **cells}
        found[document] = WrittenDocument(sha256, schema, strategy, cells)
    return found


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


def _cells(text: str | None) -> dict[str, WrittenCell] | None:
    try:
        data = json.loads(text or "")
        return {str(name): _cell(*said) for name, said in data.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None

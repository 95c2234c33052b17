"""The table of exports: what is written of a run's records, by which function, under which name.

Another format is one module with an `Exporter`, and its line in `EXPORTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ocr_moe.exports.analyses import write_analyses
from ocr_moe.exports.jsonl import (
    write_documents,
    write_jsonl,
    write_stored_documents,
    write_stored_jsonl,
)
from ocr_moe.exports.parts import write_jsonl_parts, write_parquet
from ocr_moe.exports.reviewpage.page import write_review_page
from ocr_moe.exports.sources import AnswersOf, LinkOf, Stored
from ocr_moe.exports.workbook import write_workbook
from ocr_moe.formats.phrases import Language
from ocr_moe.schema import Schema
from ocr_moe.subjects import DocumentKey
from ocr_moe.types import Record


class Pictures(Protocol):
    """Pictures of a run's documents, as JPEG; None where one cannot be had."""

    def field_jpeg(
        self, record: Record, field: str, size: tuple[int, int], *, around: float = ...
    ) -> bytes | None:
        """Where a field stands, and as much `around` it in its heights; of at most that size."""

    def page_jpeg(self, record: Record, size: tuple[int, int]) -> bytes | None:
        """The first page, of at most that size."""


@dataclass(frozen=True)
class Exported:
    """What there is to export: one strategy's records and what belongs to them."""

    records: Iterable[Record]
    """By path and page; may be gone through again and again."""
    schemas: Sequence[Schema]
    """What the documents could be."""
    answers: AnswersOf
    stored: Stored | None = None
    """The same as the JSON that a store holds; None where it comes from elsewhere."""
    sole: bool = False
    """Whether nobody else writes where it goes: what is there of documents that are gone goes."""
    language: Language = "en"
    """Of what is said to people."""
    original_of: LinkOf = lambda document: ""
    """The address of a document's file, empty where it is not known."""
    desk_of: LinkOf | None = None
    """The address of a document at the review desk that is being served; None where none is."""
    pictures: Pictures | None = None
    """Of the documents; None where they are not to be decoded anew."""
    sheet_pictures: bool = False
    """Whether the workbook has pictures too: of all doubtful cells, as far as there is room."""
    told: Mapping[DocumentKey, str] = field(default_factory=dict)
    """Whose documents are, where people say so."""


@dataclass(frozen=True)
class Exporter:
    """One format."""

    target: str
    """Name of the file or folder within a run."""
    write: Callable[[Path, Exported], int]
    """Writes to a path, which may be another than `target`; how many records. Raises OutputError."""


_SHEET_PICTURE = (430, 72)
"""Most pixels in a sheet, width and height: a line of print that can be read, in a row."""
_SHEET_AROUND = 0.35
"""There: enough to see the characters at the edge whole."""
_CROP = (760, 300)
"""The same on a page."""
_PAGE = (1100, 1100)
"""The least at which the print of a certificate can be read."""


def _write_workbook(path: Path, run: Exported) -> int:
    pictures = run.pictures if run.sheet_pictures else None

    def crop_of(record: Record, field: str) -> bytes | None:
        assert pictures is not None
        return pictures.field_jpeg(record, field, _SHEET_PICTURE, around=_SHEET_AROUND)

    return write_workbook(
        path,
        run.records,
        run.schemas,
        language=run.language,
        answers=run.answers,
        original_of=run.original_of,
        desk_of=run.desk_of,
        crop_of=None if pictures is None else crop_of,
        told=run.told,
    )


def _write_review_page(path: Path, run: Exported) -> int:
    pictures = run.pictures

    def crop_of(record: Record, field: str) -> bytes | None:
        return None if pictures is None else pictures.field_jpeg(record, field, _CROP)

    def page_of(record: Record) -> bytes | None:
        return None if pictures is None else pictures.page_jpeg(record, _PAGE)

    return write_review_page(
        path, run.records, run.schemas, run.answers, crop_of=crop_of, page_of=page_of
    )


def _write_jsonl(path: Path, run: Exported) -> int:
    if run.stored is not None:
        return write_stored_jsonl(path, run.stored)
    return write_jsonl(path, run.records, presorted=True)


def _write_documents(path: Path, run: Exported) -> int:
    if run.stored is not None:
        return write_stored_documents(path, run.stored, run.answers, prune=run.sole)
    return write_documents(path, run.records, run.answers, prune=run.sole)


EXPORTERS: Mapping[str, Exporter] = {
    "jsonl": Exporter("records.jsonl", _write_jsonl),
    "documents": Exporter("documents", _write_documents),
    "xlsx": Exporter("records.xlsx", _write_workbook),
    "review": Exporter("review.html", _write_review_page),
}
"""Every run writes them all, in this order."""
ON_DEMAND: Mapping[str, Exporter] = {
    "jsonl-parts": Exporter("records", lambda path, run: write_jsonl_parts(path, run.records)),
    "parquet": Exporter("records", lambda path, run: write_parquet(path, run.records, run.schemas)),
    "analyses": Exporter(
        "analyses.json",
        lambda path, run: write_analyses(path, run.records, run.schemas, run.answers),
    ),
}
"""`export` writes them: for large runs folders of parts, of texts what every expert made of them."""
FORMATS: Mapping[str, Exporter] = {**EXPORTERS, **ON_DEMAND}

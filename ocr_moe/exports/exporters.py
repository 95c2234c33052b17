"""The table of exports: what is written of a run's records, by which function, under which name.

Another format is one module with an `Exporter`, and its line in `EXPORTERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ocr_moe.exports.jsonl import AnswersOf, write_documents, write_jsonl
from ocr_moe.exports.workbook import write_workbook
from ocr_moe.schema import Schema
from ocr_moe.subjects import DocumentKey
from ocr_moe.types import Record


@dataclass(frozen=True)
class Exported:
    """What there is to export: one strategy's records and what belongs to them."""

    records: Iterable[Record]
    """By path and page; may be gone through again and again."""
    schemas: Sequence[Schema]
    """What the documents could be."""
    answers: AnswersOf
    sole: bool = False
    """Whether nobody else writes where it goes: what is there of documents that are gone goes."""
    told: Mapping[DocumentKey, str] = field(default_factory=dict)
    """Whose documents are, where people say so."""


@dataclass(frozen=True)
class Exporter:
    """One format."""

    target: str
    """Name of the file or folder within a run."""
    write: Callable[[Path, Exported], int]
    """Writes to a path, which may be another than `target`; how many records. Raises OutputError."""


EXPORTERS: Mapping[str, Exporter] = {
    "jsonl": Exporter(
        "records.jsonl", lambda path, run: write_jsonl(path, run.records, presorted=True)
    ),
    "documents": Exporter(
        "documents",
        lambda path, run: write_documents(path, run.records, run.answers, prune=run.sole),
    ),
    "xlsx": Exporter(
        "records.xlsx",
        lambda path, run: write_workbook(path, run.records, run.schemas, told=run.told),
    ),
}
"""Every run writes them all, in this order."""

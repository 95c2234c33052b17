"""Writing review.html: it opens offline, asks nobody, and saves what was decided to a file.

The file that it saves is taken in by `ocr-moe review` (`ocr_moe.reviewing.decisions`).  Whatever was
read off documents reaches the page as data, never as markup; its own policy (CSP) allows no request
and no script but the one inside, by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import heapq
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup, escape

from ocr_moe.exports.offered import offered
from ocr_moe.exports.sources import AnswersOf, CropOf, PageOf
from ocr_moe.formats.files import write_text
from ocr_moe.formats.phrases import LANGUAGES, Language, Phrase, Words
from ocr_moe.schema import Field, Schema
from ocr_moe.types import DOUBTFUL, DocumentRef, Record
from ocr_moe.values.kinds import kind_of

MOST_CELLS = 500
"""Cells of a page, the most doubtful of the run: some 5 MB with their pictures, and a morning's work.
For more there is the desk."""
_MOST_CANDIDATES = 9
"""One a digit key."""
_WORDS = Words("ocr_moe.exports.reviewpage", "templates/words.yaml")


def write_review_page(
    path: Path,
    records: Iterable[Record],
    schemas: Sequence[Schema],
    answers: AnswersOf,
    *,
    crop_of: CropOf | None = None,
    page_of: PageOf | None = None,
    language: Language | None = None,
) -> int:
    """Write the page in one step; how many records it was made of.

    Without a `language` it opens in the reader's. Raises OutputError.
    """
    chosen, counts = _most_doubtful(records)
    cells: dict[tuple[int, str], dict[str, Any]] = {}
    declared = {schema.name: schema for schema in schemas}
    pages: dict[str, str] = {}
    for number, names, record in _by_document(chosen):
        of_record = answers(record)
        for name in names:
            crop = None if crop_of is None else crop_of(record, name)
            if crop is None and page_of is not None and str(number) not in pages:
                page = page_of(record)
                pages[str(number)] = "" if page is None else _encoded(page)
            cells[number, name] = {
                **_cell(record, name),
                "candidates": [
                    each._asdict() for each in offered(record, name, of_record)[:_MOST_CANDIDATES]
                ],
                "crop": None if crop is None else _encoded(crop),
                "page": str(number) if crop is None and pages.get(str(number)) else None,
            }
    data = {
        "strategy": counts.strategy,
        "schemas": {name: _schema(schema) for name, schema in declared.items()},
        "cells": [cells[each.number, each.field] for each in chosen],
        "pages": pages,
        "left": counts.doubtful - len(chosen),
        "failed": counts.failed,
    }
    write_text(path, _rendered(data, language))
    return counts.records


class _Doubt(NamedTuple):
    """A doubtful cell. The most doubtful sorts first; no two have the number and the field in common."""

    confidence: float
    number: int
    """Of the record, in their order."""
    field: str
    record: Record


@dataclass
class _Counts:
    strategy: str = ""
    records: int = 0
    failed: int = 0
    """Documents that could not be processed at all."""
    doubtful: int = 0
    """Cells."""


def _most_doubtful(records: Iterable[Record]) -> tuple[list[_Doubt], _Counts]:
    """The cells for the page, the most doubtful first; only their records are held on to."""
    counts = _Counts()

    def doubtful() -> Iterator[_Doubt]:
        for number, record in enumerate(records):
            counts.strategy = record.strategy
            counts.records += 1
            counts.failed += record.error is not None
            for name, decision in record.fields.items():
                if decision.status in DOUBTFUL:
                    counts.doubtful += 1
                    yield _Doubt(decision.confidence or 0.0, number, name, record)

    chosen = heapq.nsmallest(MOST_CELLS, doubtful(), key=lambda doubt: doubt[:3])
    return chosen, counts


def _by_document(chosen: Iterable[_Doubt]) -> Iterator[tuple[int, list[str], Record]]:
    """(number, fields, record) of the documents that have cells on the page, so that each is opened
    once."""
    for number, group in groupby(sorted(chosen, key=lambda d: d.number), lambda d: d.number):
        doubts = list(group)
        record = doubts[0].record
        wanted = {doubt.field for doubt in doubts}
        yield number, [name for name in record.fields if name in wanted], record


def _cell(record: Record, name: str) -> dict[str, Any]:
    decision = record.fields[name]
    return {
        "document": _reference(record.document),
        "schema": record.schema_name,
        "field": name,
        "value": decision.value,
        "confidence": decision.confidence,
        "status": decision.status.value,
        "characters": [round(each, 3) for each in decision.characters],
        "printed": decision.evidence.text if decision.evidence is not None else None,
        "notes": list(decision.notes),
        "rows": [
            {
                column: [cell.value, cell.status.value, cell.confidence]
                for column, cell in row.items()
            }
            for row in decision.rows
        ],
    }


def _encoded(picture: bytes) -> str:
    return base64.b64encode(picture).decode("ascii")


def _reference(document: DocumentRef) -> dict[str, Any]:
    named = {"path": document.path, "sha256": document.sha256, "page": document.page}
    more = {"part": document.part, "region": document.region}
    return {**named, **more}


def _schema(schema: Schema) -> dict[str, Any]:
    return {
        "title": schema.title or schema.name,
        "fields": {field.name: _field(field) for field in schema.fields},
    }


def _field(field: Field) -> dict[str, Any]:
    groups = [
        [segment.length for segment in grammar.segments]
        for grammar in field.grammars
        if all(segment.max_length is None for segment in grammar.segments)
    ]
    return {
        "kind": field.kind.value,
        "values": list(field.values) if kind_of(field).closed else [],
        "groups": groups,
        "columns": {column.name: list(column.values) for column in field.columns},
    }


def _rendered(data: Mapping[str, Any], language: Language | None) -> str:
    script = _asset("review.js")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    words = {
        key: dict(zip(LANGUAGES, texts, strict=True))
        for key, texts in _WORDS.all.items()
        if key.startswith("js_")
    }
    return environment.get_template("review.html.j2").render(
        language=language or "en",
        auto=language is None,
        style=Markup(_asset("review.css")),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
        data=_as_data(data),
        words=_as_data(words),
        t=_both,
    )


def _as_data(value: object) -> Markup:
    """JSON that no text in it can end, whatever it says."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)


def _both(key: str) -> Markup:
    """A phrase in both languages, of which the style sheet shows one."""
    english, chinese = (_WORDS.filled(Phrase(key), language, escape) for language in LANGUAGES)
    return Markup(
        '<span class="en" lang="en">{}</span><span class="zh" lang="zh-CN">{}</span>'
    ).format(english, chinese)


@cache
def _asset(name: str) -> str:
    folder = resources.files("ocr_moe.exports.reviewpage") / "templates"
    return (folder / name).read_text(encoding="utf-8")

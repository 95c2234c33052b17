"""What experts made of texts, item by item: analyses.json.

    {"format": 1, "items": [
      {"document": "news.json#00001", "schema": "news_item", "id": "n1", "headline": "…", "url": "…",
       "made": {"summary": {"value": "…", "confidence": null, "status": "accepted", "experts": ["llm"]}},
       "analyses": [{"expert": "extracts", "model": null, "seconds": 0.01,
                     "fields": {"summary": {"value": "…", "score": null}}}],
       "error": null}]}

The fields that were found stand by their names; those of the four keys above stand under `fields`. An
expert that failed has an `error` in place of a value; nobody else's analysis is touched by it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ocr_moe.exports.sources import AnswersOf
from ocr_moe.exports.stored import PLACES
from ocr_moe.formats.files import replacing
from ocr_moe.schema import Schema
from ocr_moe.types import Answer, Decision, Reading, Record

FORMAT = 1
_OWN = frozenset({"document", "page", "schema", "made", "analyses", "error", "fields"})


def write_analyses(
    path: Path, records: Iterable[Record], schemas: Sequence[Schema], answers: AnswersOf
) -> int:
    """Write analyses.json, an item a line, in flat memory; returns how many. Raises OutputError."""
    known = {schema.name: schema for schema in schemas}
    count = 0
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        stream.write(f'{{"format": {FORMAT}, "items": [')
        for record in records:
            schema = known.get(record.schema_name or "")
            item = analysis_of(record, schema, answers(record))
            stream.write(",\n" if count else "\n")
            stream.write(json.dumps(item, ensure_ascii=False, allow_nan=False))
            count += 1
        stream.write("\n]}\n")
    return count


def analysis_of(
    record: Record, schema: Schema | None, answers: Mapping[str, Sequence[Answer]]
) -> dict[str, Any]:
    """One item of analyses.json."""
    made = {field.name for field in schema.fields if field.made} if schema is not None else set()
    found = {name: d.value for name, d in record.fields.items() if name not in made}
    item: dict[str, Any] = {"document": record.document.path}
    if record.document.page > 1:
        item["page"] = record.document.page
    item["schema"] = record.schema_name
    item |= {name: value for name, value in found.items() if name not in _OWN}
    if hidden := {name: value for name, value in found.items() if name in _OWN}:
        item["fields"] = hidden
    item["made"] = {
        name: _decision(decision) for name, decision in record.fields.items() if name in made
    }
    item["analyses"] = [each for e, calls in answers.items() for each in _analyses(e, calls, made)]
    error = record.error
    item["error"] = None if error is None else {"type": error.type, "message": error.message}
    return item


def _analyses(expert: str, calls: Sequence[Answer], made: set[str]) -> Iterator[dict[str, Any]]:
    for answer in calls:
        fields = {r.field: _reading(r) for r in answer.readings if r.field in made}
        if fields:
            yield {
                "expert": expert,
                "model": answer.model,
                "seconds": round(answer.cost.seconds, PLACES),
                "fields": fields,
            }


def _reading(reading: Reading) -> dict[str, Any]:
    if reading.error is not None:
        return {"error": {"type": reading.error.type, "message": reading.error.message}}
    data: dict[str, Any] = {"value": reading.value, "score": _number(reading.score)}
    return data | {"notes": list(reading.notes)} if reading.notes else data


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "value": decision.value,
        "confidence": _number(decision.confidence),
        "status": decision.status.value,
        "experts": list(decision.experts),
    }


def _number(value: float | None) -> float | None:
    return None if value is None else round(value, PLACES)

"""From the JSON that a store holds to the JSON of exports, without the models in between.

The store writes its rows by the models, so that they stand in its JSON key by key as models have them,
and most of an export of many documents would be making models only to take them apart again. What is of
another shape than the models write today (a row of an earlier release, a damaged one, a document that is
a part of its page) is left to the models, which say what is wrong with it. A test holds both ways
against each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import orjson

from ocr_moe.exports.forms import FORMAT
from ocr_moe.types import (
    Alternative,
    Answer,
    Conflict,
    Cost,
    Decision,
    DocumentRef,
    Evidence,
    Failure,
    Reading,
    Record,
    Status,
)

PLACES = 6
"""Digits behind the point, of all that is measured."""
MONEY_PLACES = 8


class UnusualError(ValueError):
    """A row is of another shape than the models write today, or there is more to be done for it."""


_STATUSES = frozenset(status.value for status in Status)


_RECORD = Record.model_fields.keys()
_DOCUMENT = DocumentRef.model_fields.keys()
_CONFLICT = Conflict.model_fields.keys()
_DECISION = Decision.model_fields.keys()
_ANSWER = Answer.model_fields.keys()
_READING = Reading.model_fields.keys()
_ALTERNATIVE = Alternative.model_fields.keys()
_EVIDENCE = Evidence.model_fields.keys()
_COST = Cost.model_fields.keys()
_FAILURE = Failure.model_fields.keys()


def record_data(text: bytes) -> dict[str, Any]:
    """What `record_to_json` makes of the record that a row holds. Raises UnusualError."""
    try:
        return _record(orjson.loads(text))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UnusualError(str(error)) from error


def answer_data(expert: str, text: bytes) -> dict[str, Any]:
    """The same of an answer, for a document that is not a part of its page. Raises UnusualError."""
    try:
        return _answer(expert, orjson.loads(text))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UnusualError(str(error)) from error


def _of(keys: Set[str], data: Mapping[str, Any]) -> Mapping[str, Any]:
    """An object with exactly these keys."""
    if data.keys() != keys:
        raise UnusualError("other keys than the models have today")
    return data


def _record(row: Mapping[str, Any]) -> dict[str, Any]:
    document = _of(_DOCUMENT, _of(_RECORD, row)["document"])
    if document["region"] is not None:
        raise UnusualError("a part of its page")
    data = {
        "format": FORMAT,
        "document": {
            "path": document["path"],
            "sha256": document["sha256"],
            "page": document["page"],
            "pages": document["pages"],
            "part": document["part"],
            "rotation": document["rotation"],
        },
        "schema": row["schema_name"],
        "strategy": row["strategy"],
        "fields": {name: _decision(said) for name, said in row["fields"].items()},
        "cost": _cost(row["cost"]),
        "error": _failure(row["error"]),
    }
    if row["blank"]:
        data["blank"] = True
    if row["set_aside"] is not None:
        data["set_aside"] = row["set_aside"]
    if row["conflicts"]:
        data["conflicts"] = [_conflict(each) for each in row["conflicts"]]
    return data


def _conflict(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "kind": _of(_CONFLICT, row)["kind"],
        "fields": row["fields"],
        "documents": row["documents"],
        "message": row["message"],
    }


def _decision(row: Mapping[str, Any]) -> dict[str, Any]:
    if _of(_DECISION, row)["status"] not in _STATUSES:
        raise UnusualError("no status")
    confidence = row["confidence"]
    rows = row["rows"]
    data = {
        "value": [_row(each) for each in rows] if rows else row["value"],
        "confidence": confidence if confidence is None else round(confidence, PLACES),
        "status": row["status"],
        "experts": row["experts"],
        "evidence": _evidence(row["evidence"]),
        "characters": [round(each, PLACES) for each in row["characters"]],
        "notes": row["notes"],
    }
    if row["reviewer"] is not None:
        data["reviewer"] = row["reviewer"]
        data["at"] = row["at"]
    return data


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _cell(cell) for name, cell in row.items()}


def _cell(row: Mapping[str, Any]) -> dict[str, Any]:
    if _of(_DECISION, row)["status"] not in _STATUSES:
        raise UnusualError("no status")
    confidence = row["confidence"]
    data = {
        "value": row["value"],
        "confidence": confidence if confidence is None else round(confidence, PLACES),
        "status": row["status"],
        "evidence": _evidence(row["evidence"]),
    }
    if row["notes"]:
        data["notes"] = row["notes"]
    if row["reviewer"] is not None:
        data["reviewer"] = row["reviewer"]
        data["at"] = row["at"]
    return data


def _read_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _read_cell(cell) for name, cell in row.items()}


def _read_cell(row: Mapping[str, Any]) -> dict[str, Any]:
    score = _of(_READING, row)["score"]
    return {
        "value": row["value"],
        "score": score if score is None else round(score, PLACES),
        "evidence": _evidence(row["evidence"]),
    }


def _answer(expert: str, row: Mapping[str, Any]) -> dict[str, Any]:
    _of(_ANSWER, row)
    return {
        "expert": expert,
        "fingerprint": row["expert"],
        "model": row["model"],
        "readings": [_reading(each) for each in row["readings"]],
        "cost": _cost(row["cost"]),
    }


def _reading(row: Mapping[str, Any]) -> dict[str, Any]:
    score = _of(_READING, row)["score"]
    rows = row["rows"]
    data = {
        "field": row["field"],
        "value": [_read_row(each) for each in rows] if rows else row["value"],
        "raw": row["raw"],
        "score": score if score is None else round(score, PLACES),
        "alternatives": [_alternative(each) for each in row["alternatives"]],
        "characters": [round(each, PLACES) for each in row["characters"]],
        "evidence": _evidence(row["evidence"]),
        "features": {name: round(each, PLACES) for name, each in row["features"].items()},
        "notes": row["notes"],
        "error": _failure(row["error"]),
    }
    if row["idle"]:
        data["idle"] = True
    return data


def _alternative(row: Mapping[str, Any]) -> dict[str, Any]:
    value, logprob = _of(_ALTERNATIVE, row)["value"], row["logprob"]
    return {"value": value, "logprob": round(logprob, PLACES)}


def _evidence(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if row is None:
        return None
    x0, y0, x1, y1 = _of(_EVIDENCE, row)["box"]
    data: dict[str, Any] = {
        "box": [round(x0, PLACES), round(y0, PLACES), round(x1, PLACES), round(y1, PLACES)],
        "text": row["text"],
    }
    if row["page"] > 1:
        data["page"] = row["page"]
    return data


def _cost(row: Mapping[str, Any]) -> dict[str, Any]:
    if not row.keys() <= _COST:  # some of which no export has came later
        raise UnusualError("other keys than the models have today")
    return {
        "calls": row["calls"],
        "prompt_tokens": row["prompt_tokens"],
        "completion_tokens": row["completion_tokens"],
        "seconds": round(row["seconds"], PLACES),
        "ocr_seconds": round(row["ocr_seconds"], PLACES),
        "money": round(row["money"], MONEY_PLACES),
    }


def _failure(row: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if row is None:
        return None
    return {"type": _of(_FAILURE, row)["type"], "message": row["message"]}

"""Records as JSON: one line each in records.jsonl, one file each in documents/.

The JSON form is the one other programs rely on (docs/formats.md; `ocr_moe.exports.forms` has its
schema); `Record` is the same thing inside. Numbers are rounded to what they mean (six places for
confidences and boxes), so that equal records are equal bytes.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path, PurePosixPath
from typing import Any

import orjson
from pydantic import ValidationError

from ocr_moe.errors import UsageError
from ocr_moe.exports.forms import FORMAT
from ocr_moe.exports.sources import AnswersOf, Stored
from ocr_moe.exports.stored import MONEY_PLACES, PLACES, UnusualError, answer_data, record_data
from ocr_moe.formats.files import SmallFiles, replacing, writing_to
from ocr_moe.formats.names import safe_name, short_digest
from ocr_moe.formats.versions import refusal
from ocr_moe.subjects import DocumentKey
from ocr_moe.types import (
    Answer,
    Conflict,
    Cost,
    Decision,
    DocumentRef,
    Evidence,
    Failure,
    Reading,
    Record,
    Value,
)
from ocr_moe.values.tables import table_text

_HEAD = b'{\n  "format":'
"""How a document's file begins."""
_PATH_BYTES = 1000
"""Of a path below documents/; common file systems take about 4000 of a whole path."""
_SUFFIXED = re.compile(r"(?i)\.((?:page|part)[0-9]+|[0-9a-f]{12})$")
"""A name that ends as those that are given here."""


def record_order(record: Record) -> tuple[str, int, int]:
    """The order of records in every export: by path, then by page, then by part."""
    return (record.document.path, record.document.page, record.document.part)


def record_to_json(record: Record) -> dict[str, Any]:
    """A record as docs/formats.md has it, with its keys in a fixed order."""
    document = record.document
    place = {
        "path": document.path,
        "sha256": document.sha256,
        "page": document.page,
        "pages": document.pages,
        "part": document.part,
        "rotation": document.rotation,
    }
    if document.region is not None:
        place["region"] = [_number(side) for side in document.region]
    data = {
        "format": FORMAT,
        "document": place,
        "schema": record.schema_name,
        "strategy": record.strategy,
        "fields": {name: _decision(decision) for name, decision in record.fields.items()},
        "cost": _cost(record.cost),
        "error": _failure(record.error),
    }
    if record.blank:
        data["blank"] = True
    if record.set_aside is not None:
        data["set_aside"] = record.set_aside
    if record.conflicts:
        data["conflicts"] = [conflict.model_dump(mode="json") for conflict in record.conflicts]
    return data


def record_from_json(data: Mapping[str, Any]) -> Record:
    """The record behind a line of records.jsonl; unknown keys are passed over.

    Raises UsageError when a key is missing, a value is wrong, or the line is of a later format.
    """
    try:
        refused = refusal(data.get("format"), FORMAT)
        if refused is not None:
            raise UsageError(f"not a record that can be read here: {refused}")
        of_record = {
            "schema_name": data["schema"],
            "strategy": data["strategy"],
            "document": _known(DocumentRef, data["document"]),
            "fields": {name: _said(said) for name, said in data["fields"].items()},
            "cost": _known(Cost, data.get("cost") or {}),
            "conflicts": [_known(Conflict, said) for said in data.get("conflicts") or ()],
        }
        return Record.model_validate(_known(Record, data) | of_record)
    except KeyError as error:
        raise UsageError(f"not a record: the key {error} is missing") from error
    except (ValidationError, TypeError, AttributeError) as error:
        raise UsageError(f"not a record: {error}") from error


def write_jsonl(path: Path, records: Iterable[Record], *, presorted: bool = False) -> int:
    """Write records.jsonl in one step, sorted by path, page and part; returns how many.

    `presorted` streams the records as they come, in flat memory, for sources that sort themselves.
    Raises ValueError when they then come out of order, OutputError when writing fails.
    """
    ordered = records if presorted else sorted(records, key=record_order)
    return _write_lines(path, map(record_to_json, ordered))


def write_stored_jsonl(path: Path, stored: Stored) -> int:
    """The same of what a store holds, in its order and in flat memory. Raises OutputError, or
    StoreError."""
    return _write_lines(path, (_record_data(stored, key, row) for key, row in stored.records()))


def _write_lines(path: Path, records: Iterable[dict[str, Any]]) -> int:
    count = 0
    previous: tuple[str, int, int] | None = None
    with replacing(path) as temporary, temporary.open("wb") as stream:
        for data in records:
            document = data["document"]
            here = (document["path"], document["page"], document["part"])
            if previous is not None and here < previous:
                raise ValueError(f"records out of order: {here} after {previous}")
            previous = here
            stream.write(_encode(data) + b"\n")
            count += 1
    return count


def read_jsonl(path: Path) -> Iterator[Record]:
    """The records of a file, one by one. Raises UsageError naming the line that is wrong."""
    try:
        stream = path.open(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such file") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error})") from error
    with stream:
        done = 0
        try:
            for line in stream:
                if line.strip():
                    yield record_from_json(json.loads(line))
                done += 1
        except (UsageError, ValueError) as error:
            raise UsageError(f"{path}, line {done + 1}: {error}") from error


def document_path(document: DocumentRef) -> PurePosixPath:
    """Where a document's JSON stands below documents/: its path + `.json`.

    Pages after the first carry `.page2` and so on. Parts that would leave the folder, that a file
    system refuses or that could be mistaken for another document's are replaced, with a hash of the
    whole path so that names stay unique.
    """
    return PurePosixPath(_place_of(document.path, document.page, document.part))


def _place_of(path: str, page: int, part: int) -> str:
    parts = [each for each in path.replace("\\", "/").split("/") if each not in ("", ".")]
    safe = [safe_name(each) for each in parts] or ["_"]
    # A folder is not to be called as the file of another document.
    safe[:-1] = [f"{each}_" if each.lower().endswith(".json") else each for each in safe[:-1]]
    if len("/".join(safe).encode()) > _PATH_BYTES:
        safe = safe[-1:]
    suffix = f".page{page}" if page > 1 else ""
    suffix += f".part{part}" if part > 1 else ""
    if "/".join(safe) != path or _SUFFIXED.search(safe[-1]):
        suffix = f".{short_digest(path)}{suffix}"
    return "/".join((*safe[:-1], f"{safe[-1]}{suffix}.json"))


def write_documents(
    folder: Path, records: Iterable[Record], answers: AnswersOf, *, prune: bool = False
) -> int:
    """Write one JSON a document with every expert's readings and errors; returns how many.

    Each file is the record's own form plus `answers`. `prune` removes what was written there about
    other documents. Raises OutputError.
    """
    made = ((record_to_json(record), _answers(answers(record))) for record in records)
    return _write_files(folder, made, prune=prune)


def write_stored_documents(
    folder: Path, stored: Stored, answers: AnswersOf, *, prune: bool = False
) -> int:
    """The same of what a store holds. Raises OutputError, or StoreError.

    `answers` gives those that are left to the models.
    """

    def made() -> Iterator[tuple[dict[str, Any], Sequence[dict[str, Any]]]]:
        for key, row in stored.records():
            data = _record_data(stored, key, row)
            try:
                yield data, _stored_answers(stored, data["document"])
            except UnusualError:
                yield data, _answers(answers(stored.record(key, row)))

    return _write_files(folder, made(), prune=prune)


def _write_files(
    folder: Path,
    made: Iterable[tuple[dict[str, Any], Sequence[dict[str, Any]]]],
    *,
    prune: bool,
) -> int:
    """Write (record, answers) of documents."""
    written: set[str] = set()
    files = SmallFiles()
    root = os.fspath(folder)
    for data, answers in made:
        document = data["document"]
        place = _place_of(document["path"], document["page"], document["part"])
        path = os.path.join(root, place.replace("/", os.sep))
        files.write(path, _encode({**data, "answers": answers}, orjson.OPT_INDENT_2) + b"\n")
        written.add(path)
    if prune:
        _prune(folder, written)
    return len(written)


def _record_data(stored: Stored, key: DocumentKey, row: bytes) -> dict[str, Any]:
    try:
        data = record_data(row)
        document = data["document"]
        if (document["path"], document["page"], document["part"]) == key:
            return data
    except UnusualError:
        pass
    return record_to_json(stored.record(key, row))


def _stored_answers(stored: Stored, document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Raises UnusualError."""
    if "region" in document:
        raise UnusualError("a part of its page")
    found = stored.answers(document["sha256"], document["page"])
    return [answer_data(expert, row) for expert, row in found]


def _answers(answers: Mapping[str, Sequence[Answer]]) -> list[dict[str, Any]]:
    return [answer_to_json(expert, answer) for expert, calls in answers.items() for answer in calls]


def _prune(folder: Path, keep: Set[str]) -> None:
    """Remove the documents' files that are not to be kept, and folders that are empty without them."""
    root = os.fspath(folder)
    with writing_to(folder):
        for parent, _, files in os.walk(root, topdown=False):
            for file in files:
                path = os.path.join(parent, file)
                if file.endswith(".json") and path not in keep and _is_ours(Path(path)):
                    os.unlink(path)
            if parent != root and not os.listdir(parent):
                os.rmdir(parent)


def _is_ours(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(_HEAD)) == _HEAD


def _said(data: Mapping[str, Any]) -> dict[str, Any]:
    """A decision; the value of a table is its rows, of which its text is made again."""
    known = _known(Decision, data)
    known.pop("rows", None)
    value = known.get("value")
    if isinstance(value, list):
        rows = [{name: _known(Decision, cell) for name, cell in row.items()} for row in value]
        texts = ({name: cell["value"] for name, cell in row.items()} for row in rows)
        known |= {"value": table_text(texts), "rows": rows}
    return known


def _known(model: type[Value], data: Any) -> dict[str, Any]:
    return {key: value for key, value in dict(data).items() if key in model.model_fields}


def _encode(data: dict[str, Any], option: int = 0) -> bytes:
    try:
        return orjson.dumps(data, option=option)
    except orjson.JSONEncodeError:
        # A file name that is not UTF-8 reaches us with lone surrogates; escapes carry them.
        indent = 2 if option & orjson.OPT_INDENT_2 else None
        return json.dumps(data, ensure_ascii=True, allow_nan=False, indent=indent).encode("ascii")


def _decision(decision: Decision) -> dict[str, Any]:
    data: dict[str, Any] = {
        "value": [_row(row) for row in decision.rows] if decision.rows else decision.value,
        "confidence": _number(decision.confidence),
        "status": decision.status.value,
        "experts": list(decision.experts),
        "evidence": _evidence(decision.evidence),
        "characters": [round(value, PLACES) for value in decision.characters],
        "notes": list(decision.notes),
    }
    if decision.reviewer is not None:
        data |= {"reviewer": decision.reviewer, "at": decision.at}
    return data


def _row(row: Mapping[str, Decision]) -> dict[str, Any]:
    return {name: _cell(cell) for name, cell in row.items()}


def _cell(cell: Decision) -> dict[str, Any]:
    data: dict[str, Any] = {
        "value": cell.value,
        "confidence": _number(cell.confidence),
        "status": cell.status.value,
        "evidence": _evidence(cell.evidence),
    }
    if cell.notes:
        data["notes"] = list(cell.notes)
    if cell.reviewer is not None:
        data |= {"reviewer": cell.reviewer, "at": cell.at}
    return data


def _read_row(row: Mapping[str, Reading]) -> dict[str, Any]:
    return {
        name: {
            "value": cell.value,
            "score": _number(cell.score),
            "evidence": _evidence(cell.evidence),
        }
        for name, cell in row.items()
    }


def _reading(reading: Reading) -> dict[str, Any]:
    data = {
        "field": reading.field,
        "value": [_read_row(row) for row in reading.rows] if reading.rows else reading.value,
        "raw": reading.raw,
        "score": _number(reading.score),
        "alternatives": [
            {"value": item.value, "logprob": round(item.logprob, PLACES)}
            for item in reading.alternatives
        ],
        "characters": [round(value, PLACES) for value in reading.characters],
        "evidence": _evidence(reading.evidence),
        "features": {name: round(value, PLACES) for name, value in reading.features.items()},
        "notes": list(reading.notes),
        "error": _failure(reading.error),
    }
    return data | {"idle": True} if reading.idle else data


def answer_to_json(expert: str, answer: Answer) -> dict[str, Any]:
    """An expert's answer as it stands in a document's file."""
    return {
        "expert": expert,
        "fingerprint": answer.expert,
        "model": answer.model,
        "readings": [_reading(reading) for reading in answer.readings],
        "cost": _cost(answer.cost),
    }


def _evidence(evidence: Evidence | None) -> dict[str, Any] | None:
    if evidence is None:
        return None
    data: dict[str, Any] = {
        "box": [round(side, PLACES) for side in evidence.box],
        "text": evidence.text,
    }
    if evidence.page > 1:
        data["page"] = evidence.page
    return data


def _cost(cost: Cost) -> dict[str, Any]:
    return {
        "calls": cost.calls,
        "prompt_tokens": cost.prompt_tokens,
        "completion_tokens": cost.completion_tokens,
        "seconds": _number(cost.seconds),
        "ocr_seconds": _number(cost.ocr_seconds),
        "money": round(cost.money, MONEY_PLACES),
    }


def _failure(failure: Failure | None) -> dict[str, str] | None:
    return None if failure is None else {"type": failure.type, "message": failure.message}


def _number(value: float | None) -> float | None:
    return None if value is None else round(value, PLACES)

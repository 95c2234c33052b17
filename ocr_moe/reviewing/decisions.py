"""Decisions that were made on a page without a server (review.html), as judgements."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.truth.problems import Notebook, ProblemKind
from ocr_moe.reviewing.checking import held
from ocr_moe.reviewing.taken import TakenIn
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.store.database import Store
from ocr_moe.subjects import DocumentKey
from ocr_moe.types import Box, DocumentRef, Judgement, Probability, Shown, Status, Value

KIND = "ocr_moe decisions"
"""What such a file says that it is."""
_LONGEST = 100_000
"""Characters of a value or name that are taken in."""
_MOST = 1_000_000
"""Decisions of a file that are taken in."""


class _Document(Value):
    path: str
    sha256: str
    page: int = 1
    part: int = 1
    region: Box | None = None


class _Shown(Value):
    value: str | None
    confidence: Probability | None
    status: Status


class _Decision(Value):
    document: _Document
    schema_name: str | None
    field: str
    value: str | None
    at: str
    shown: _Shown | None = None


class _File(Value):
    format: Literal[1]
    kind: Literal["ocr_moe decisions"]
    strategy: str
    reviewer: str
    decisions: tuple[Any, ...]


def is_decisions(path: Path) -> bool:
    """Whether a file says that it holds decisions."""
    if path.suffix.lower() != ".json":
        return False
    try:
        with path.open(encoding="utf-8") as stream:
            return KIND in stream.read(400)
    except (OSError, UnicodeDecodeError):
        return False


def decisions_in(
    path: Path,
    store: Store,
    strategy: str,
    schemas: Sequence[Schema],
    reviewer: str = "reviewer",
) -> TakenIn:
    """The decisions of a file as judgements on the documents of a run; `reviewer`'s where it names
    nobody, and of now where it gives no time.

    What is of another run, of another kind of document, or no value of its field is a problem, and the
    others are taken. Raises TruthError for a file that holds no decisions.
    """
    given = _read(path)
    known = {schema.name: schema for schema in schemas}
    judgements: list[tuple[DocumentRef, Judgement]] = []
    notes = Notebook(path.name)
    for number, plain in enumerate(given.decisions, 1):
        where = f"decision {number}"
        try:
            one = _Decision.model_validate(_renamed(plain))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            notes.add(ProblemKind.NOT_TAKEN, f"{where}: not a decision ({first['msg']})")
            continue
        where = f"{where} ({one.field} of {one.document.path[:200]})"
        key = DocumentKey(one.document.path, one.document.page, one.document.part)
        record = store.record(strategy, key)
        if record is None or record.document.sha256 != one.document.sha256:
            notes.add(
                ProblemKind.NOT_TAKEN,
                f"{where}: the run has no such document; was the page of another run?",
            )
            continue
        schema = known.get(record.schema_name or "")
        if schema is None or schema.name != one.schema_name or one.field not in schema.names:
            notes.add(
                ProblemKind.NOT_TAKEN,
                f"{where}: the document is no longer of the kind that the page showed",
            )
            continue
        declared = schema.field(one.field)
        value = None if one.value is None else _value(declared, one.value)
        if one.value is not None and value is None:
            notes.add(
                ProblemKind.NOT_TAKEN,
                f"{where}: the value cannot stand in the field; type it at the desk",
            )
            continue
        shown = None
        if one.shown is not None:
            shown = Shown(**one.shown.model_dump(), strategy=given.strategy)
        judgement = Judgement(
            field=one.field,
            value=value,
            reviewer=given.reviewer.strip()[:100] or reviewer,
            at=_time(one.at),
            via=path.name,
            shown=shown,
        )
        judgements.append((record.document, judgement))
    return TakenIn(tuple(judgements), notes.problems())


def _value(field: Field, told: str) -> str | None:
    """The value as the field writes it down; None for what cannot stand in it."""
    return held(field, told) if field.kind is Kind.TABLE or len(told) <= _LONGEST else None


def _time(told: str) -> str:
    """A time as ISO 8601 in UTC; now where it is none."""
    try:
        at = datetime.fromisoformat(told)
        at = (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        at = datetime.now(UTC)
    return at.isoformat(timespec="milliseconds")


def _read(path: Path) -> _File:
    try:
        plain = json.loads(path.read_text(encoding="utf-8-sig"))
        found = _File.model_validate(plain)
    except OSError as error:
        raise TruthError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise TruthError(
            f"{path}: holds no decisions; name the file that was saved from review.html"
        ) from error
    if len(found.decisions) > _MOST:
        raise TruthError(f"{path}: holds more than {_MOST} decisions")
    return found


def _renamed(plain: Any) -> Any:
    """`schema` is a word of pydantic's own."""
    if not isinstance(plain, Mapping):
        return plain
    return {"schema_name" if name == "schema" else name: value for name, value in plain.items()}

"""From what a language model said to exactly one reading per asked field.

Models leave fields out, rename them, wrap the object in prose, stop half-way or answer with
numbers and lists.  What can be used of a reply is used; what cannot becomes the error of that
field alone.  Nothing here asks anybody: stored replies can be parsed again for nothing.

Features of a reading (all 0-1 except log-probabilities):
`evidence_score` agreement of the value with the print at its place; `in_ocr` 1.0 when the answer
stands on the page word for word; `constrained` 1.0 when the server was bound to the schema;
`logprob_mean`, `logprob_min` over the tokens of the value, where the server gives them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ocr_moe.errors import ChatAnswerError
from ocr_moe.experts.llm.alignment import find_evidence, occurs_verbatim
from ocr_moe.folds import fold_print
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.types import Answer, Evidence, Failure, Line, RawReply, Reading
from ocr_moe.values.normalize import normalize
from ocr_moe.values.printed import clean_text

REVISION = "2"
"""Changes when the same reply may give other readings; stored replies are then parsed again."""

_NOTHING = frozenset(
    fold_print(word)
    for word in (
        *("null", "none", "nil", "n/a", "na", "nan", "undefined", "unknown", "not found"),
        *(
            "not available",
            "not provided",
            "无",
            "未提供",
            "未知",
            "未填写",
            "未找到",
            "不详",
            "空",
        ),
        *("没有", "无法识别", "未提及", "未注明", "未显示", "absent"),
    )
)
_FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL | re.IGNORECASE)
_ENDS_WITH_VALUE = re.compile(r':\s*"(?:[^"\\]|\\.)*"\s*,?\s*$')
_THOUGHT = re.compile(r"^.*</think>", re.DOTALL)


@dataclass(frozen=True)
class _Parsed:
    values: dict[str, Any]
    cut: bool = False
    """Whether the object was not closed."""
    half: bool = False
    """Whether its last value may be half a value."""


def parse(
    replies: Iterable[RawReply], fields: Iterable[Field], pages: Sequence[Sequence[Line]]
) -> dict[str, Reading]:
    """Field → reading, for every field of `fields` that a reply is about; never raises.

    Evidence is aligned on the lines of each page.  A field that a reply leaves out is an error where
    the schema requires it and absent where it does not.
    """
    declared = {field.name: field for field in fields}
    found: dict[str, Reading] = {}
    for reply in replies:
        group = [declared[name] for name in reply.fields if name in declared]
        if reply.error is not None:
            readings = [Reading(field=field.name, error=reply.error) for field in group]
        else:
            readings = _understood(reply, group, pages)
        found |= {reading.field: reading for reading in readings}
    return found


def reread(
    answer: Answer, schema: Schema, fields: Sequence[Field], pages: Sequence[Sequence[Line]]
) -> Answer:
    """The answer with its replies parsed anew: one reading per field, in order.

    A reading whose field no reply is about stands as it is.
    """
    readings = {reading.field: reading for reading in answer.readings}
    readings |= parse(answer.replies, (*schema.fields, *fields), pages)
    ordered = tuple(readings[field.name] for field in fields)
    return answer.model_copy(update={"readings": ordered, "parsing": REVISION})


def sound(text: str) -> str:
    """The text with halves of surrogate pairs, which are no characters, replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _understood(
    reply: RawReply, fields: Sequence[Field], pages: Sequence[Sequence[Line]]
) -> list[Reading]:
    try:
        return _readings(reply, fields, pages)
    except ChatAnswerError as error:
        return [_failed(field, error) for field in fields]
    except Exception as error:  # a flaw of the parser must not lose the reply that was paid for
        problem = ChatAnswerError(
            f"The answer of {reply.model} could not be understood ({type(error).__name__}: {error})"
        )
        return [_failed(field, problem) for field in fields]


def _readings(
    reply: RawReply, fields: Sequence[Field], pages: Sequence[Sequence[Line]]
) -> list[Reading]:
    """One reading per field. Raises ChatAnswerError when the reply holds none of the fields."""
    parsed = _parse(reply, fields)
    last = next(reversed(parsed.values), None) if parsed.half else None
    given = _by_field(parsed.values, fields)
    if not given:
        raise ChatAnswerError(
            f"The model {reply.model} answered without any of the asked fields: "
            f"{_quote(reply.content or '')}"
        )
    readings = []
    for field in fields:
        key = given.get(field.name)
        if key is not None and key != last:
            readings.append(_reading(reply, field, key, parsed.values[key], pages))
        elif key is None and not field.required and not parsed.cut:
            readings.append(Reading(field=field.name))
        else:
            why = "was cut off before" if parsed.cut else "left out"
            readings.append(
                _failed(field, ChatAnswerError(f"The answer of {reply.model} {why} this field."))
            )
    return readings


def _failed(field: Field, error: ChatAnswerError) -> Reading:
    failure = Failure(type=type(error).__name__, message=sound(str(error)))
    return Reading(field=field.name, error=failure)


def _parse(reply: RawReply, fields: Sequence[Field]) -> _Parsed:
    content = (reply.content or "").strip()
    loaded = _loads(content)
    if loaded is not None:
        return _Parsed(_object_in(loaded, fields))
    content = _THOUGHT.sub("", content).strip()
    if fenced := _FENCE.search(content):
        content = fenced.group(1).strip()
    start = content.find("{")
    if start < 0:
        cut = " and was cut off" if reply.truncated else ""
        raise ChatAnswerError(
            f"The model {reply.model} answered without JSON{cut}: {_quote(content)}"
        )
    content = content[start:]
    end = _end_of_object(content)
    loaded = _loads(content[:end]) if end else None
    if loaded is None:
        from json_repair import repair_json

        loaded = _loads(repair_json(content[:end] if end else content, ensure_ascii=False))
    half = end is None and not _ENDS_WITH_VALUE.search(content)
    return _Parsed(_object_in(loaded, fields), cut=end is None, half=half)


def _loads(text: str) -> Any:
    """JSON with numbers left as they are written: a code with 18 digits keeps them all."""
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None


def _end_of_object(text: str) -> int | None:
    """The position after the brace that closes the first one, or None where none does."""
    depth, quoted, escaped = 0, False, False
    for position, character in enumerate(text):
        if quoted:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                quoted = False
        elif character == '"':
            quoted = True
        elif character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if not depth:
                return position + 1
    return None


def _object_in(loaded: Any, fields: Sequence[Field]) -> dict[str, Any]:
    """The object that holds the fields, when it is wrapped in a list or in another object."""
    if isinstance(loaded, list) and loaded and all(isinstance(item, dict) for item in loaded):
        loaded = {key: value for item in loaded for key, value in item.items()}
    if not isinstance(loaded, dict):
        return {}
    if _by_field(loaded, fields):
        return loaded
    for inner in loaded.values():
        if isinstance(inner, dict) and _by_field(inner, fields):
            return inner
    return loaded


def _by_field(values: dict[str, Any], fields: Sequence[Field]) -> dict[str, str]:
    """field name → the key of the answer that stands for it."""
    found: dict[str, str] = {}
    folded = {fold_print(key): key for key in reversed(values)}
    for field in fields:
        for name in (field.name, *field.aliases):
            key = name if name in values else folded.get(fold_print(name))
            if key is not None:
                found[field.name] = key
                break
    return found


def _reading(
    reply: RawReply,
    field: Field,
    key: str,
    given: Any,
    pages: Sequence[Sequence[Line]],
) -> Reading:
    features: dict[str, float] = {"constrained": float(reply.constrained)}
    span = _value_logprobs(reply, key)
    score = None
    if span:
        mean = sum(span) / len(span)
        features |= {"logprob_mean": round(mean, 5), "logprob_min": round(min(span), 5)}
        score = min(1.0, math.exp(mean))
    raw = _text_of(given, field)
    if raw is None or fold_print(raw) in _NOTHING:
        return Reading(field=field.name, raw=raw, score=score, features=features)
    bare = _bare(raw, field)
    value = normalize(field, bare)
    evidence, agreement = _evidence(field, value, bare, pages)
    features["evidence_score"] = agreement
    features["in_ocr"] = float(any(occurs_verbatim(bare, lines) for lines in pages))
    notes = () if value is not None else (f"{raw!r} is not a value of this field",)
    return Reading(
        field=field.name,
        value=value,
        raw=raw,
        score=score,
        evidence=evidence,
        features=features,
        notes=notes,
    )


def _evidence(
    field: Field, value: str | None, raw: str, pages: Sequence[Sequence[Line]]
) -> tuple[Evidence | None, float]:
    best: tuple[Evidence | None, float] = (None, 0.0)
    for number, lines in enumerate(pages, start=1):
        found = find_evidence(field, value, raw, lines, number)
        if found[1] > best[1]:
            best = found
    return best


def _bare(raw: str, field: Field) -> str:
    """The value without what some models copy along: its label, what the schema trims, and what
    follows the name of an organisation (云南农业大学纺织工程专业)."""
    raw = clean_text(raw)
    for label in sorted((field.name, *field.labels), key=len, reverse=True):
        match = re.match(rf"\s*{re.escape(label)}\s*[:：]\s*(?=\S)", raw)
        if match:
            raw = raw[match.end() :]
            break
    if field.kind in (Kind.DATE, Kind.ENUM):
        return raw
    bare = raw
    for expression in field.trim:
        bare = re.sub(expression, "", bare)
    if field.kind is Kind.ORGANISATION and field.shape and not re.search(field.shape, bare):
        ends = range(len(bare) - 1, 1, -1)
        bare = next((bare[:end] for end in ends if re.search(field.shape, bare[:end])), bare)
    return bare or raw


def _text_of(given: Any, field: Field) -> str | None:
    """What was given as text: numbers as written, lists joined, wrapped values unwrapped."""
    match given:
        case None | bool():
            return None
        case str():
            return sound(given).strip() or None
        case list():
            parts = [part for item in given if (part := _text_of(item, field)) is not None]
            return "、".join(parts) or None
        case dict():
            for key in ("value", "值", "text", field.name):
                if key in given:
                    return _text_of(given[key], field)
            if field.kind is Kind.DATE:
                return _date_of(given)
            return None
        case _:
            return str(given)


def _date_of(parts: dict[str, Any]) -> str | None:
    text = ""
    for names, mark in ((("year", "年"), "年"), (("month", "月"), "月"), (("day", "日"), "日")):
        part = next((parts[name] for name in names if parts.get(name) not in (None, "")), None)
        if part is None:
            break
        text += f"{part}{mark}"
    return text or None


def _value_logprobs(reply: RawReply, key: str) -> list[float]:
    """Log-probabilities of the tokens that carry the value of `key`, quotation marks left out."""
    if not reply.logprobs:
        return []
    text = "".join(token for token, _ in reply.logprobs)
    match = re.search(
        rf'{re.escape(json.dumps(key, ensure_ascii=False))}\s*:\s*("(?:[^"\\]|\\.)*"|[^\s,}}]+)',
        text,
    )
    if match is None:
        return []
    start, end = match.span(1)
    if match.group(1).startswith('"') and end - start > 2:
        start, end = start + 1, end - 1
    found, position = [], 0
    for token, logprob in reply.logprobs:
        if position < end and start < position + len(token):
            found.append(logprob)
        position += len(token)
    return found


def _quote(text: str) -> str:
    plain = " ".join(text.split())
    return repr(plain if len(plain) <= 80 else plain[:79] + "…")

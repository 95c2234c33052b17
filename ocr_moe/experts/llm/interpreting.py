"""From what an answer says of one field to the field's reading.

Features of a reading (all 0-1 except log-probabilities):
`evidence_score` agreement of the value with the print at its place; `in_ocr` 1.0 when the answer
stands on the page word for word; `constrained` 1.0 when the server was bound to the schema;
`logprob_mean`, `logprob_min` over the tokens of the value, where the server gives them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from ocr_moe.errors import ChatAnswerError
from ocr_moe.experts.llm.alignment import find_evidence, occurs_verbatim
from ocr_moe.experts.llm.gathering import VALUE_KEYS
from ocr_moe.experts.llm.nothing import says_nothing
from ocr_moe.experts.llm.unwrapping import Number, Unusable
from ocr_moe.folds import fold_print
from ocr_moe.formats.text import sound
from ocr_moe.schema import Field, Kind
from ocr_moe.types import Evidence, Line, RawReply, Reading
from ocr_moe.values.normalize import normalize
from ocr_moe.values.printed import clean_text

_ROUNDED = re.compile(r"\d{16,}\.0+")
_LOSSY = re.compile(rf"[-+]?\d(?:\.\d+)?[eE][-+]?\d+|{_ROUNDED.pattern}")
"""A text that was a number before; what begins with several digits may be a code with an E."""
_POINT = re.compile(r"\.0+$")
_SURENESS = re.compile(
    r"\s*[(（\[【]\s*(?:置信度|可信度|准确率|confidence|score)[^()（）\[\]【】]{0,20}[)）\]】]\s*$",
    re.IGNORECASE,
)
_WRAPPED = re.compile(r"^(\*\*|__|`|\*)(.+)\1$", re.DOTALL)
_SINGLE = (
    *(Kind.CODE, Kind.DATE, Kind.ENUM, Kind.MONEY),
    *(Kind.NUMBER, Kind.PERCENTAGE, Kind.TIME),
)
"""Kinds of which a list holds no more than one value."""


def interpret(
    reply: RawReply,
    field: Field,
    said: Sequence[tuple[str, Any]],
    pages: Sequence[Sequence[Line]],
) -> Reading:
    """The reading of what is said of a field, under one key or several.

    Raises ChatAnswerError where no value can be made of it.
    """
    key, raw = _one(reply, field, said)
    features: dict[str, float] = {"constrained": float(reply.constrained)}
    span = _value_logprobs(reply, key)
    score = None
    if span:
        mean = sum(span) / len(span)
        features |= {"logprob_mean": round(mean, 5), "logprob_min": round(min(span), 5)}
        score = min(1.0, math.exp(mean))
    if raw is None or says_nothing(raw, field):
        return Reading(field=field.name, raw=raw, score=score, features=features)
    bare = _bare(raw, field)
    value = normalize(field, bare)
    evidence = None
    if not field.made:  # what is made stands nowhere
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


def _one(reply: RawReply, field: Field, said: Sequence[tuple[str, Any]]) -> tuple[str, str | None]:
    """The one text that is said of the field, with its key; None where nothing is."""
    texts = [(key, _text_of(reply, given, field)) for key, given in said]
    values = [
        (key, text) for key, text in texts if text is not None and not says_nothing(text, field)
    ]
    if len({fold_print(text) for _, text in values}) > 1:
        raise _unusable(reply, Unusable.TWICE)
    return (values or texts)[0]


def _unusable(reply: RawReply, why: Unusable) -> ChatAnswerError:
    hint = {
        Unusable.CUT: "Raise `max_tokens` of the expert.",
        Unusable.TWICE: "Ask for this field alone (`fields: single`), or look at the page.",
        Unusable.GARBLED: "Set `structured: json_schema` for the endpoint if its server knows it.",
    }[why]
    return ChatAnswerError(f"The answer of {reply.model} {why.value}. {hint}")


def _text_of(reply: RawReply, given: Any, field: Field) -> str | None:
    """What was given as text: numbers as written, lists joined, wrapped values unwrapped.

    Raises ChatAnswerError for what is neither a value nor nothing.
    """
    match given:
        case None | False:
            return None
        case Unusable():
            raise _unusable(reply, given)
        case Number():
            return _number(reply, given)
        case str():
            text = sound(given).strip()
            if field.kind is Kind.CODE and _LOSSY.fullmatch(text):
                return _number(reply, text)
            return text or None
        case list():
            return _joined(reply, [_text_of(reply, item, field) for item in given], field)
        case dict():
            for key in (*VALUE_KEYS, field.name, *field.aliases):
                if key in given:
                    return _text_of(reply, given[key], field)
            if field.kind is Kind.DATE and (date := _date_of(given)) is not None:
                return date
            if any(each not in (None, "") for each in given.values()):
                raise _unusable(reply, Unusable.GARBLED)
            return None
        case _:
            raise _unusable(reply, Unusable.GARBLED)


def _number(reply: RawReply, text: str) -> str:
    """A number as it is written. Raises ChatAnswerError where digits of it were lost."""
    if "e" in text.lower() or _ROUNDED.fullmatch(text):
        raise ChatAnswerError(
            f"The answer of {reply.model} gives this field as the number {text[:40]}, of which digits "
            "are lost. Set `structured: json_schema` for the endpoint, so that values are texts."
        )
    return _POINT.sub("", text)


def _joined(reply: RawReply, items: Sequence[str | None], field: Field) -> str | None:
    parts = list(dict.fromkeys(item for item in items if item is not None))
    if len(items) > 3 and all(item is not None and len(item) == 1 for item in items):
        return "".join(item for item in items if item is not None)  # spelt out
    if len(parts) > 1 and field.kind in _SINGLE:
        raise _unusable(reply, Unusable.TWICE)
    return "、".join(parts) or None


def _date_of(parts: dict[str, Any]) -> str | None:
    text = ""
    for names, mark in ((("year", "年"), "年"), (("month", "月"), "月"), (("day", "日"), "日")):
        part = next((parts[name] for name in names if parts.get(name) not in (None, "")), None)
        if part is None or not isinstance(part, str):
            break
        text += f"{sound(part).strip().removesuffix(mark)}{mark}"
    return text or None


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
    """The value without what some models copy along: marks of emphasis, how sure they are, its label,
    what the schema trims, and what follows the name of an organisation (云南农业大学纺织工程专业)."""
    raw = clean_text(_SURENESS.sub("", raw))
    if (wrapped := _WRAPPED.match(raw)) is not None:
        raw = wrapped[2]
    for label in sorted((field.name, *field.label_forms), key=len, reverse=True):
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


def _value_logprobs(reply: RawReply, key: str) -> list[float]:
    """Log-probabilities of the tokens that carry the value of `key`, quotation marks left out.

    Where the key stands more than once, the last counts: before it are drafts.
    """
    if not reply.logprobs:
        return []
    text = "".join(token for token, _ in reply.logprobs)
    written = re.compile(
        rf'{re.escape(json.dumps(key, ensure_ascii=False))}\s*:\s*("(?:[^"\\]|\\.)*"|[^\s,}}]+)'
    )
    match = max(written.finditer(text), key=re.Match.start, default=None)
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

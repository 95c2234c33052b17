"""What kind of mistake a wrong value is, and which characters differ."""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum

from rapidfuzz.distance import Levenshtein

from ocr_moe.schema import Kind

Span = tuple[int, int]
NOTHING = ""
"""Stands for the missing side where a character was dropped or added."""

_ALIKE = 0.5
"""Below this similarity two values have too little in common to compare their characters."""
_MIN_OTHER_FIELD = 2


class Mistake(StrEnum):
    SUBSTITUTED = "substituted"
    """As long as the truth, with other characters in places."""
    WRONG_LENGTH = "wrong_length"
    """Characters dropped or added."""
    ZERO_RUN = "zero_run"
    """Only the length of a run of zeros differs."""
    WRONG_FIELD = "wrong_field"
    """The value of another field of the same document."""
    OTHER_VALUE = "other_value"
    """Little in common with the truth."""
    MISSING = "missing"
    INVENTED = "invented"
    UNREADABLE = "unreadable"
    """No expert could answer, or the file could not be read."""


def classify(kind: Kind, truth: str, value: str, others: Collection[str] = ()) -> Mistake:
    """The kind of mistake of a value that is not `truth`.

    `others` are the verified values of the document's other fields.
    """
    if len(value) >= _MIN_OTHER_FIELD and value in others:
        return Mistake.WRONG_FIELD
    if kind is Kind.CODE and _without_zero_runs(truth) == _without_zero_runs(value):
        return Mistake.ZERO_RUN
    if kind is Kind.ENUM or Levenshtein.normalized_similarity(truth, value) < _ALIKE:
        return Mistake.OTHER_VALUE
    return Mistake.SUBSTITUTED if len(truth) == len(value) else Mistake.WRONG_LENGTH


def edit_distance(truth: str, value: str) -> int:
    """Levenshtein distance in characters."""
    return Levenshtein.distance(truth, value)


def confusions(truth: str, value: str) -> list[tuple[str, str]]:
    """(verified character, read character) of every edit; NOTHING where one side has none.

    Empty when the values have too little in common for single characters to mean anything.
    """
    if Levenshtein.normalized_similarity(truth, value) < _ALIKE:
        return []
    pairs = []
    for edit in Levenshtein.editops(truth, value):
        verified = truth[edit.src_pos] if edit.tag != "insert" else NOTHING
        read = value[edit.dest_pos] if edit.tag != "delete" else NOTHING
        pairs.append((verified, read))
    return pairs


def marks(truth: str, value: str) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Spans that differ: (in the truth, in the value). All of both when they are unlike."""
    if not truth or not value or Levenshtein.normalized_similarity(truth, value) < _ALIKE:
        return (((0, len(truth)),) if truth else ()), (((0, len(value)),) if value else ())
    in_truth: list[Span] = []
    in_value: list[Span] = []
    for part in Levenshtein.opcodes(truth, value):
        if part.tag == "equal":
            continue
        if part.src_end > part.src_start:
            in_truth.append((part.src_start, part.src_end))
        if part.dest_end > part.dest_start:
            in_value.append((part.dest_start, part.dest_end))
    return tuple(in_truth), tuple(in_value)


def _without_zero_runs(code: str) -> str:
    return re.sub("0+", "0", code)

"""Which recorded answer stands for a question that may have been put otherwise then.

One rule for everybody who answers from a record: an expert whose endpoint is not configured, and
the laboratory.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

from ocr_moe.schema import Field
from ocr_moe.types import Answer, Cost, Failure, Reading, Recorded

_ADDED: Mapping[str, object] = {
    "forms": [],
    "lexicon": None,
    "places": [],
    "marks": {"keys": None, "parameters": [], "lists": [], "plain": False},
    "origin": None,
    "within": "",
    "occurrence": None,
    "above": [],
    "below": [],
    "column_of": [],
    "case": False,
    "made": "",
    "score": "exact",
    "likely": [],
    "check": None,
    "covered": True,
    "units": {},
    "columns": [],
    "key": "",
    "totals": [],
}
"""Keys that declarations have got since answers were first recorded, with what they are where nobody
sets them: a field that does without is declared as it always was, and its paid answers stay its own."""
_NEVER_ASKED = frozenset({"format"})
"""Keys of what is made of values, on which no answer depends."""
_SEGMENT = "values"
"""A key of segments and fields alone, never of a whole grammar, whose `check` is as old as itself."""


def _as_ever(declared: object) -> object:
    """A declaration without the added keys that nobody set."""
    if isinstance(declared, list):
        return [_as_ever(each) for each in declared]
    if not isinstance(declared, dict):
        return declared
    unset = {k for k, v in _ADDED.items() if _SEGMENT in declared and declared.get(k, ...) == v}
    if _SEGMENT in declared:
        unset |= _NEVER_ASKED
    return {key: _as_ever(value) for key, value in declared.items() if key not in unset}


def digest_fields(schema: str, fields: Sequence[Field]) -> str:
    """A short digest of the declarations that a question is about: 16 hexadecimal digits."""
    declared = [schema, *(_as_ever(field.model_dump(mode="json")) for field in fields)]
    text = json.dumps(declared, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def recall(
    recorded: Iterable[Recorded], expert: str, question: str, fields: Sequence[str]
) -> Answer | None:
    """What an expert's recorded answers about one document say of these fields; None if nothing.

    The first of these that there is:

    1. the answer to this very question (`question` is its digest);
    2. an answer to fields of these names in this order, whatever their declarations were then;
    3. the smallest answer that has them all, at its whole cost;
    4. each field from the smallest answer that has it, at the cost of all the answers used; a field
       that none has gets a failed reading.

    Where there is nothing at all, `unrecorded` says so.

    Among equals the first counts; stores give their answers in a stable order.
    """
    own = [entry for entry in recorded if entry.expert == expert]
    for entry in own:
        if entry.question == question:
            return entry.answer
    asked = list(fields)
    by_size = sorted(own, key=lambda entry: len(entry.answer.readings))
    for entry in by_size:
        if [reading.field for reading in entry.answer.readings] == asked:
            return entry.answer
    indexed = [({r.field: r for r in entry.answer.readings}, entry.answer) for entry in by_size]
    for readings, answer in indexed:
        if readings.keys() >= set(asked):
            return answer.model_copy(update={"readings": tuple(readings[name] for name in asked)})
    return _composed(indexed, expert, asked)


def unrecorded(expert: str, fields: Sequence[str]) -> Answer:
    """What stands for the answer of an expert that has none on record: a failure for each field."""
    return Answer(expert=expert, readings=tuple(_missing(expert, name) for name in fields))


def _missing(expert: str, field: str) -> Reading:
    message = f"{expert} has no recorded answer for {field}; configure its endpoint to ask it"
    return Reading(field=field, error=Failure(type="ExpertError", message=message))


def _composed(
    indexed: Sequence[tuple[dict[str, Reading], Answer]], expert: str, asked: Sequence[str]
) -> Answer | None:
    used: list[Answer] = []
    found: list[Reading] = []
    for name in asked:
        source = next(((had[name], answer) for had, answer in indexed if name in had), None)
        if source is None:
            found.append(_missing(expert, name))
            continue
        found.append(source[0])
        if not any(source[1] is answer for answer in used):
            used.append(source[1])
    if not used:
        return None
    cost = sum((answer.cost for answer in used), Cost())
    update = {"readings": tuple(found), "cost": cost}
    if len(used) > 1:  # replies to other questions as well: they stay with the answers to those
        update |= {"replies": (), "parsing": ""}
    return used[0].model_copy(update=update)

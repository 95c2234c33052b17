"""Recorded documents: what every expert said of a document, and whether that was right.

The laboratory replays gates and combiners over them for nothing. Routing sees the readings only;
the truth stays behind `RecordedDocument.right`.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import cached_property

from ocr_moe.protocols import Combiner, Gate, State
from ocr_moe.schema import Field, Schema
from ocr_moe.types import Answer, Cost, Decision, Failure, Reading

Judge = Callable[[Field, str | None], bool]
"""Whether a value is right for a field of one document."""

_MOST_OF_ONE_SUBJECT = 12


@dataclass(frozen=True)
class RecordedDocument:
    """One document with all answers about it and the means to judge them."""

    sha256: str
    page: int
    subject: str | None
    """Whom the document is about, where that is known; documents of one subject stay together."""
    schema: Schema
    answers: tuple[tuple[str, Answer], ...]
    """(expert name, answer)."""
    verified: frozenset[str]
    """The fields whose truth is known."""
    judge: Judge
    ocr: Cost = dataclass_field(default_factory=Cost)
    """What every strategy pays for the pages' text."""

    @property
    def experts(self) -> frozenset[str]:
        return frozenset(expert for expert, _ in self.answers)

    def right(self, field: str, value: str | None) -> bool:
        """Whether the value is right. `field` must be a verified one."""
        verdict = self._verdicts.get((field, value))
        if verdict is None:
            verdict = self.judge(self.schema.field(field), value)
            self._verdicts[field, value] = verdict
        return verdict

    def reading(self, expert: str, field: str) -> Reading | None:
        """What the expert says of the field, in its answer to the most fields."""
        found = self._index.get((expert, field))
        return found[1] if found is not None else None

    def ask(self, expert: str, fields: tuple[str, ...]) -> tuple[list[Reading], list[Answer]]:
        """One reading per field, and the recorded answers they are from.

        An answer to exactly these fields comes first; else every field is taken from the answer
        to the most fields. A field without an answer gives a failed reading.
        """
        exact = self._exact.get((expert, fields))
        if exact is not None:
            return list(exact.readings), [exact]
        readings: list[Reading] = []
        answers: list[Answer] = []
        for field in fields:
            found = self._index.get((expert, field))
            if found is None:
                failure = Failure(
                    type="ExpertError", message=f"{expert} has no recorded answer for {field}"
                )
                readings.append(Reading(field=field, error=failure))
                continue
            readings.append(found[1])
            if not any(found[0] is answer for answer in answers):
                answers.append(found[0])
        return readings, answers

    @cached_property
    def _verdicts(self) -> dict[tuple[str, str | None], bool]:
        return {}

    @cached_property
    def _exact(self) -> dict[tuple[str, tuple[str, ...]], Answer]:
        return {
            (expert, tuple(reading.field for reading in answer.readings)): answer
            for expert, answer in self.answers
        }

    @cached_property
    def _index(self) -> dict[tuple[str, str], tuple[Answer, Reading]]:
        index: dict[tuple[str, str], tuple[Answer, Reading]] = {}
        for expert, answer in sorted(self.answers, key=lambda pair: len(pair[1].readings)):
            for reading in answer.readings:
                index[expert, reading.field] = (answer, reading)
        return index


@dataclass(frozen=True)
class Replay:
    """What a strategy makes of a recorded document."""

    decisions: Mapping[str, Decision]
    cost: Cost
    asked: frozenset[tuple[str, str]]
    """(expert, field) pairs that were asked."""
    states: tuple[State, ...]
    """What was known after each round."""
    bills: tuple[tuple[tuple[str, ...], Cost], ...]
    """(fields, cost) of every answer that had to be paid for."""


def replay(document: RecordedDocument, gate: Gate, combiner: Combiner) -> Replay:
    """Route, answer from the record, combine, until the gate wants nothing more."""
    schema = document.schema
    readings: dict[str, dict[str, Reading]] = {name: {} for name in schema.names}
    decisions: Mapping[str, Decision] = {}
    cost = document.ocr
    paid: list[Answer] = []
    bills: list[tuple[tuple[str, ...], Cost]] = []
    asked: set[tuple[str, str]] = set()
    states: list[State] = []
    while asks := gate.route(State(schema, readings, decisions)):
        for wish in asks:
            said, answers = document.ask(wish.expert, wish.fields)
            for reading in said:
                readings[reading.field][wish.expert] = reading
                asked.add((wish.expert, reading.field))
            for answer in answers:
                if not any(answer is other for other in paid):
                    paid.append(answer)
                    cost += answer.cost
                    bills.append((wish.fields, answer.cost))
        snapshot = {name: dict(of_field) for name, of_field in readings.items()}
        decisions = combiner.combine(State(schema, snapshot))
        states.append(State(schema, snapshot, decisions))
    if not decisions:
        decisions = combiner.combine(State(schema, readings))
    return Replay(decisions, cost, frozenset(asked), tuple(states), tuple(bills))


def cost_by_field(bills: Iterable[tuple[Sequence[str], Cost]]) -> dict[str, Cost]:
    """What each field took: an answer is paid for by the fields it was asked about, in equal parts."""
    shares: dict[str, Counter[str]] = defaultdict(Counter)
    for fields, cost in bills:
        for name, value in cost:
            for field in fields:
                shares[field][name] += value / len(fields)
    return {
        field: Cost(
            calls=round(parts["calls"]),
            prompt_tokens=round(parts["prompt_tokens"]),
            completion_tokens=round(parts["completion_tokens"]),
            seconds=parts["seconds"],
            ocr_seconds=parts["ocr_seconds"],
            money=parts["money"],
        )
        for field, parts in shares.items()
    }


def groups_of(documents: Sequence[RecordedDocument]) -> list[str]:
    """A label per document: those of one file, of the same bytes or of one subject share it."""
    parent = list(range(len(documents)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[str, str], int] = {}
    people = _people(documents)
    for i, document in enumerate(documents):
        keys = [("sha256", document.sha256)]
        if document.subject in people:
            keys.append(("subject", str(document.subject)))
        for key in keys:
            a, b = root(first.setdefault(key, i)), root(i)
            parent[max(a, b)] = min(a, b)
    members: dict[int, list[str]] = defaultdict(list)
    for i, document in enumerate(documents):
        members[root(i)].append(document.sha256)
    labels = {at: min(hashes) for at, hashes in members.items()}
    return [labels[root(i)] for i in range(len(documents))]


def split(
    documents: Sequence[RecordedDocument], shares: Sequence[float], seed: int = 0
) -> list[list[RecordedDocument]]:
    """Divide the documents into parts of about these shares; no group is on two sides.

    Which part a group falls into depends on its hash and the seed alone, as far as the sizes allow.
    """
    groups: dict[str, list[RecordedDocument]] = defaultdict(list)
    for label, document in zip(groups_of(documents), documents, strict=True):
        groups[label].append(document)
    order = sorted(groups, key=lambda label: hashlib.sha256(f"{seed}:{label}".encode()).digest())
    parts: list[list[RecordedDocument]] = [[] for _ in shares]
    for label in order:
        missing = [
            share * len(documents) - len(part) for share, part in zip(shares, parts, strict=True)
        ]
        parts[missing.index(max(missing))].extend(groups[label])
    leaks = leaked(parts)
    if leaks:
        raise AssertionError(f"documents on two sides of a split: {leaks}")
    return parts


def leaked(parts: Iterable[Iterable[RecordedDocument]]) -> list[str]:
    """Hashes and subjects that stand in more than one part. Empty when the parts are clean."""
    listed = [list(part) for part in parts]
    people = _people([document for part in listed for document in part])
    sides: dict[str, set[int]] = defaultdict(set)
    for side, part in enumerate(listed):
        for document in part:
            sides[f"sha256 {document.sha256}"].add(side)
            if document.subject in people:
                sides[f"subject {document.subject}"].add(side)
    return sorted(key for key, where in sides.items() if len(where) > 1)


def _people(documents: Iterable[RecordedDocument]) -> frozenset[str | None]:
    """Subjects that can be one person: names like `scan` (of scan_001, scan_002, …) are none."""
    counts = Counter(d.subject for d in documents if d.subject is not None)
    return frozenset(name for name, count in counts.items() if count <= _MOST_OF_ONE_SUBJECT)

"""Recorded documents: what every expert said of a document, and whether that was right.

The laboratory replays gates and combiners over them for nothing. Routing sees the readings only;
the truth stays behind `RecordedDocument.right`.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ocr_moe.protocols import Ask, Combiner, Gate
from ocr_moe.routing.loop import Course, decide
from ocr_moe.routing.recall import digest_fields, recall, unrecorded
from ocr_moe.schema import Field, Schema
from ocr_moe.types import Answer, Cost, Reading, Recorded

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
    answers: tuple[Recorded, ...]
    verified: frozenset[str]
    """The fields whose truth is known."""
    judge: Judge
    ocr_seconds: float = 0.0
    """What every strategy pays for the pages' text."""

    @property
    def experts(self) -> frozenset[str]:
        return frozenset(entry.expert for entry in self.answers)

    def right(self, field: str, value: str | None) -> bool:
        """Whether the value is right. `field` must be a verified one."""
        verdict = self._verdicts.get((field, value))
        if verdict is None:
            verdict = self.judge(self.schema.field(field), value)
            self._verdicts[field, value] = verdict
        return verdict

    def reading(self, expert: str, field: str) -> Reading | None:
        """What the expert says of the field alone; None where no answer has it."""
        answer = self._recall(expert, (field,))
        return None if answer is None else answer.readings[0]

    def answer(self, ask: Ask) -> Answer:
        """The recorded answer to a gate's question; failed readings where there is none."""
        found = self._recall(ask.expert, ask.fields)
        return unrecorded(ask.expert, ask.fields) if found is None else found

    def replay(self, gate: Gate, combiner: Combiner) -> Course:
        """What a gate and a combiner make of the recorded answers; nobody is asked."""
        return decide(self.schema, gate, combiner, self.answer, ocr_seconds=self.ocr_seconds)

    def _recall(self, expert: str, fields: tuple[str, ...]) -> Answer | None:
        if (expert, fields) not in self._recalled:
            question = digest_fields(self.schema.name, self.schema.select(fields))
            self._recalled[expert, fields] = recall(self.answers, expert, question, fields)
        return self._recalled[expert, fields]

    @cached_property
    def _recalled(self) -> dict[tuple[str, tuple[str, ...]], Answer | None]:
        return {}

    @cached_property
    def _verdicts(self) -> dict[tuple[str, str | None], bool]:
        return {}


def cost_by_field(bills: Iterable[tuple[Sequence[str], Cost]]) -> dict[str, Cost]:
    """What each field took, from (fields, cost) of every answer, paid for in equal parts."""
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

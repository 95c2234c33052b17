"""Recorded documents: what every expert said of a document, what it took, and whether it was right.

The laboratory replays gates and combiners over them for nothing. Routing sees the readings only;
the truth stays behind `RecordedDocument.right`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ocr_moe.evaluation.costs import Unit, amount, unit_for
from ocr_moe.protocols import Ask, Combiner, Gate
from ocr_moe.routing.loop import Course, decide
from ocr_moe.routing.recall import digest_fields, recall, unrecorded
from ocr_moe.schema import Field, Schema
from ocr_moe.types import Answer, Box, Decision, DocumentRef, Reading, Recorded, Status

Judge = Callable[[Field, str | None], bool]
"""Whether a value is right for a field of one document."""


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
    today: str | None = None
    """The day of the run (see `ocr_moe.protocols.State`)."""
    part: int = 1
    path: str = ""
    """Of its file, whose name may tell whose document it is."""
    region: Box | None = None

    @property
    def ref(self) -> DocumentRef:
        """Which document it is; one without a path goes by its hash."""
        return DocumentRef(
            path=self.path or self.sha256,
            sha256=self.sha256,
            page=self.page,
            part=self.part,
            region=self.region,
        )

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
        return decide(
            self.schema, gate, combiner, self.answer, ocr_seconds=self.ocr_seconds, today=self.today
        )

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


def fields_of(documents: Sequence[RecordedDocument]) -> tuple[str, ...]:
    """Names of the verified fields, in the order of the schemas."""
    names: dict[str, None] = {}
    for document in documents:
        for name in document.schema.names:
            if name in document.verified:
                names.setdefault(name)
    return tuple(names)


def experts_of(documents: Sequence[RecordedDocument]) -> tuple[str, ...]:
    return tuple(sorted(frozenset().union(*(document.experts for document in documents))))


def is_right(document: RecordedDocument, name: str, decision: Decision) -> bool:
    """Failures count as wrong, even where the truth says absent."""
    return decision.status is not Status.FAILED and document.right(name, decision.value)


def right_experts(document: RecordedDocument, name: str) -> set[str]:
    """The experts whose reading of a verified field is right."""
    return {
        expert
        for expert in document.experts
        if (reading := document.reading(expert, name)) is not None
        and reading.error is None
        and document.right(name, reading.value)
    }


def mean_cost(documents: Sequence[RecordedDocument], expert: str, unit: Unit) -> float:
    """What a question to the expert takes on average."""
    amounts = [
        amount(answer.cost, unit)
        for document in documents
        for name, _, answer in document.answers
        if name == expert
    ]
    return sum(amounts) / len(amounts) if amounts else 0.0


def unit_of(documents: Sequence[RecordedDocument]) -> Unit:
    """In what all recorded answers together are counted."""
    return unit_for(answer.cost for document in documents for _, _, answer in document.answers)

"""A policy replayed over recorded documents, with the real gate and combiner: how right, how dear."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ocr_moe.evaluation.costs import Unit, amount
from ocr_moe.evaluation.metrics import macro
from ocr_moe.evaluation.scoring import SETTLED
from ocr_moe.laboratory.candidates import PolicyBuilder, PolicyCandidate
from ocr_moe.laboratory.certify import Cells
from ocr_moe.laboratory.company import weighed
from ocr_moe.laboratory.documents import RecordedDocument, fields_of, is_right, right_experts
from ocr_moe.protocols import Combiner, Gate
from ocr_moe.routing.loop import Course
from ocr_moe.types import Cost, Decision


@dataclass(frozen=True)
class Routing:
    """How well a gate chooses, told from the cells in which some recorded expert was right."""

    winnable: int
    reached: int
    """A right expert was among those asked."""
    won: int
    """The decision was right."""

    @property
    def quality(self) -> float | None:
        """How often the choice was right when one was to be had; None where none was."""
        return self.won / self.winnable if self.winnable else None


@dataclass(frozen=True)
class Trial:
    """A policy over a set of documents; arrays have the shape (documents, fields)."""

    candidate: PolicyCandidate
    fields: tuple[str, ...]
    asked: NDArray[np.bool_]
    """Cells whose truth is known."""
    right: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    """NaN where there is none."""
    accepted: NDArray[np.bool_]
    """Accepted, or absent: stands without a person's look."""
    cost: Cost
    """Of all documents together."""
    field_costs: Mapping[str, Cost]
    """What the answers for each field took, page OCR left out."""
    amounts: NDArray[np.float64]
    """Cost of each document in the study's unit."""
    questions: Mapping[str, int]
    """Expert → documents that it was asked about."""
    routing: Routing

    @property
    def accuracy(self) -> float:
        """Mean over fields of right / all."""
        return macro_accuracy(self.right, self.asked)

    @property
    def coverage(self) -> float:
        cells = int(self.asked.sum())
        return float((self.accepted & self.asked).sum()) / cells if cells else 0.0

    @property
    def selective_accuracy(self) -> float | None:
        inside = self.accepted & self.asked
        return float((inside & self.right).sum() / inside.sum()) if inside.any() else None

    @property
    def mean_amount(self) -> float:
        return float(self.amounts.mean()) if len(self.amounts) else 0.0

    def cells(self, name: str) -> Cells:
        column = self.fields.index(name)
        known = self.asked[:, column]
        return Cells(self.confidence[known, column], self.right[known, column])


def try_out(
    candidate: PolicyCandidate,
    documents: Sequence[RecordedDocument],
    build: PolicyBuilder,
    unit: Unit,
    fields: tuple[str, ...] | None = None,
    fellows: Sequence[RecordedDocument] = (),
) -> Trial:
    """Replay one policy. `fields`: the columns of the result, by default the verified ones.

    `fellows` are further documents of the same subjects: where the policy weighs a subject's documents
    together they are heard, and neither scored nor paid for.
    """
    gate, combiner = build(candidate.gate, candidate.combiner)
    fields = fields_of(documents) if fields is None else fields
    shape = (len(documents), len(fields))
    asked, right = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    accepted = np.zeros(shape, dtype=bool)
    confidence = np.full(shape, np.nan)
    amounts = np.zeros(len(documents))
    total, questions = Cost(), Counter[str]()
    bills: list[tuple[tuple[str, ...], Cost]] = []
    winnable = reached = won = 0
    courses = [_course(document, gate, combiner) for document in documents]
    decided: Sequence[Mapping[str, Decision]] = [course.decisions for course in courses]
    if candidate.dossiers is not None:
        heard = [*courses, *(_course(fellow, gate, combiner) for fellow in fellows)]
        decided = weighed([*documents, *fellows], heard, candidate.dossiers)
    for i, (document, result) in enumerate(zip(documents, courses, strict=True)):
        total += result.cost
        bills += [(ask.fields, answer.cost) for ask, answer in result.exchanges]
        amounts[i] = amount(result.cost, unit)
        questions.update({expert for expert, _ in result.asked})
        for j, name in enumerate(fields):
            if name not in document.verified:
                continue
            decision = decided[i][name]
            asked[i, j] = True
            right[i, j] = is_right(document, name, decision)
            accepted[i, j] = decision.status in SETTLED
            if decision.confidence is not None:
                confidence[i, j] = decision.confidence
            able = right_experts(document, name)
            if able:
                winnable += 1
                won += bool(right[i, j])
                reached += any((expert, name) in result.asked for expert in able)
    return Trial(
        candidate,
        fields,
        asked,
        right,
        confidence,
        accepted,
        total,
        cost_by_field(bills),
        amounts,
        dict(sorted(questions.items())),
        Routing(winnable, reached, won),
    )


def _course(document: RecordedDocument, gate: Gate, combiner: Combiner) -> Course:
    """A replay without what was known on the way, which takes most of its memory."""
    return replace(document.replay(gate, combiner), states=())


def joined(candidate: PolicyCandidate, a: Trial, b: Trial) -> Trial:
    """Two trials over different documents as one."""
    return Trial(
        candidate=candidate,
        fields=a.fields,
        asked=np.concatenate([a.asked, b.asked]),
        right=np.concatenate([a.right, b.right]),
        confidence=np.concatenate([a.confidence, b.confidence]),
        accepted=np.concatenate([a.accepted, b.accepted]),
        cost=a.cost + b.cost,
        field_costs={
            name: a.field_costs.get(name, Cost()) + b.field_costs.get(name, Cost())
            for name in dict.fromkeys((*a.field_costs, *b.field_costs))
        },
        amounts=np.concatenate([a.amounts, b.amounts]),
        questions=dict(sorted((Counter(a.questions) + Counter(b.questions)).items())),
        routing=Routing(
            a.routing.winnable + b.routing.winnable,
            a.routing.reached + b.routing.reached,
            a.routing.won + b.routing.won,
        ),
    )


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


def macro_accuracy(right: NDArray[np.bool_], asked: NDArray[np.bool_]) -> float:
    """Mean over fields of right / asked; both have the shape (documents, fields)."""
    return macro((right & asked).astype(np.float64), asked.astype(np.float64))

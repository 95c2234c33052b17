"""What policies are held against, as in RouterBench (Hu et al. 2024).

The *oracle* takes the cheapest expert that is right, in hindsight; a *single* expert is asked for
everything; the *random mix* sends a share of the documents to a dearer expert by lot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ocr_moe.evaluation.costs import Unit, amount
from ocr_moe.laboratory.documents import (
    RecordedDocument,
    experts_of,
    fields_of,
    mean_cost,
    right_experts,
)
from ocr_moe.laboratory.trials import macro_accuracy
from ocr_moe.types import Cost


@dataclass(frozen=True)
class Bound:
    """A point that policies are held against."""

    name: str
    accuracy: float
    mean_amount: float


def oracle(documents: Sequence[RecordedDocument], unit: Unit) -> Bound:
    """The cheapest right expert for every cell, in hindsight; where none is right, nobody is asked
    beyond the cheapest."""
    fields = fields_of(documents)
    costs = {expert: mean_cost(documents, expert, unit) for expert in experts_of(documents)}
    cheapest = min(costs, key=lambda expert: (costs[expert], expert))
    asked = np.zeros((len(documents), len(fields)), dtype=bool)
    right = asked.copy()
    amounts = []
    for i, document in enumerate(documents):
        needed = {cheapest}
        for j, name in enumerate(fields):
            if name not in document.verified:
                continue
            asked[i, j] = True
            able = right_experts(document, name)
            right[i, j] = bool(able)
            if able and not needed & able:
                needed.add(min(able, key=lambda expert: (costs[expert], expert)))
        amounts.append(
            amount(Cost(seconds=document.ocr_seconds), unit)
            + sum(amount(answer.cost, unit) for e, _, answer in document.answers if e in needed)
        )
    return Bound("oracle", macro_accuracy(right, asked), float(np.mean(amounts)))


def single(documents: Sequence[RecordedDocument], expert: str, unit: Unit) -> Bound:
    """One expert asked for everything."""
    fields = fields_of(documents)
    asked = np.array([[name in d.verified for name in fields] for d in documents])
    right = np.array(
        [
            [name in d.verified and expert in right_experts(d, name) for name in fields]
            for d in documents
        ]
    )
    amounts = [
        amount(Cost(seconds=d.ocr_seconds), unit)
        + sum(amount(a.cost, unit) for e, _, a in d.answers if e == expert)
        for d in documents
    ]
    return Bound(expert, macro_accuracy(right, asked), float(np.mean(amounts)))


def mixed_accuracy(singles: Sequence[Bound], mean_amount: float) -> float:
    """Accuracy of the best lottery between single experts that costs `mean_amount` on average.

    The upper hull of the points (cost, accuracy), which never falls as money is added.
    """
    best = max(
        (s.accuracy for s in singles if s.mean_amount <= mean_amount),
        default=min(singles, key=lambda s: s.mean_amount).accuracy,
    )
    for cheap in singles:
        for dear in singles:
            if cheap.mean_amount <= mean_amount < dear.mean_amount:
                share = (mean_amount - cheap.mean_amount) / (dear.mean_amount - cheap.mean_amount)
                best = max(best, (1.0 - share) * cheap.accuracy + share * dear.accuracy)
    return best

"""All configured policies over the same documents, beside the bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ocr_moe.evaluation.advice import PolicyPoint
from ocr_moe.evaluation.costs import Unit
from ocr_moe.laboratory.bounds import Bound, mixed_accuracy, oracle, single
from ocr_moe.laboratory.candidates import PolicyBuilder, PolicyCandidate
from ocr_moe.laboratory.documents import RecordedDocument, experts_of, unit_of
from ocr_moe.laboratory.splitting import demand
from ocr_moe.laboratory.trials import Trial, try_out


@dataclass(frozen=True)
class Study:
    """Policies over the same documents, with their bounds."""

    unit: Unit
    documents: int
    trials: tuple[Trial, ...]
    oracle: Bound
    singles: tuple[Bound, ...]
    """Every expert asked for everything."""

    def random_mix(self, mean_amount: float) -> float:
        """Accuracy of the best lottery between single experts at that mean cost."""
        return mixed_accuracy(self.singles, mean_amount)


def study(
    documents: Sequence[RecordedDocument],
    candidates: Sequence[PolicyCandidate],
    build: PolicyBuilder,
    unit: Unit | None = None,
    fellows: Sequence[RecordedDocument] = (),
) -> Study:
    """All candidates over all documents, with their `fellows` as for `try_out`. Raises TruthError
    without documents."""
    demand(documents, 1)
    unit = unit or unit_of(documents)
    singles = tuple(single(documents, expert, unit) for expert in experts_of(documents))
    return Study(
        unit=unit,
        documents=len(documents),
        trials=tuple(
            try_out(candidate, documents, build, unit, fellows=fellows) for candidate in candidates
        ),
        oracle=oracle(documents, unit),
        singles=singles,
    )


def study_points(study: Study, recommended: Trial | None = None) -> list[PolicyPoint]:
    """The bounds of a study, and a recommended policy that did not run, as points of the accuracy-cost
    chart.

    `recommended` is to be a trial over the study's documents: points over others would not compare.
    """
    points = [
        PolicyPoint(
            name="oracle",
            role="oracle",
            accuracy=study.oracle.accuracy,
            cost=study.oracle.mean_amount,
            unit=study.unit,
        )
    ]
    dearest = max((single.mean_amount for single in study.singles), default=0.0)
    points += [
        PolicyPoint(
            name="random mix",
            role="random_mix",
            accuracy=study.random_mix(dearest * share),
            cost=dearest * share,
            unit=study.unit,
        )
        for share in (0.25, 0.5, 0.75)
        if len(study.singles) > 1
    ]
    if recommended is not None and not recommended.candidate.configured:
        points.append(
            PolicyPoint(
                name=recommended.candidate.title,
                role="recommended",
                accuracy=recommended.accuracy,
                cost=recommended.mean_amount,
                unit=study.unit,
            )
        )
    return points

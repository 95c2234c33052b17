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
    best_single: Bound
    singles: tuple[Bound, ...]
    """Every expert asked for everything."""

    def regret(self, trial: Trial) -> float:
        """Accuracy lost to the oracle."""
        return self.oracle.accuracy - trial.accuracy

    def random_mix(self, mean_amount: float) -> float:
        """Accuracy of the best lottery between single experts at that mean cost."""
        return mixed_accuracy(self.singles, mean_amount)

    def saving(self, trial: Trial) -> float | None:
        """Share of the cost of asking the dearest expert about everything that is saved."""
        dearest = max((single.mean_amount for single in self.singles), default=0.0)
        return 1.0 - trial.mean_amount / dearest if dearest > 0.0 else None

    def pareto(self) -> list[str]:
        """Names of the policies that no other one beats in both accuracy and cost."""
        return [
            trial.candidate.name
            for trial in self.trials
            if not any(
                other.accuracy >= trial.accuracy
                and other.mean_amount <= trial.mean_amount
                and (other.accuracy, -other.mean_amount) != (trial.accuracy, -trial.mean_amount)
                for other in self.trials
            )
        ]


def study(
    documents: Sequence[RecordedDocument],
    candidates: Sequence[PolicyCandidate],
    build: PolicyBuilder,
    unit: Unit | None = None,
) -> Study:
    """All candidates over all documents. Raises TruthError without documents."""
    demand(documents, 1)
    unit = unit or unit_of(documents)
    singles = tuple(single(documents, expert, unit) for expert in experts_of(documents))
    return Study(
        unit=unit,
        documents=len(documents),
        trials=tuple(try_out(candidate, documents, build, unit) for candidate in candidates),
        oracle=oracle(documents, unit),
        best_single=max(singles, key=lambda bound: (bound.accuracy, -bound.mean_amount)),
        singles=singles,
    )


def study_points(study: Study, recommended: Trial | None = None) -> list[PolicyPoint]:
    """The bounds of a study, and the recommended policy, as points of the accuracy-cost chart.

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
    if recommended is not None:
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

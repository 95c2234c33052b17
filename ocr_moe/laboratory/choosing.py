"""Which of the policies to take: the cheapest that is as good as the best, told honestly."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ocr_moe.evaluation.costs import Unit
from ocr_moe.laboratory.candidates import PolicyBuilder, PolicyCandidate, fitted, tuned
from ocr_moe.laboratory.documents import RecordedDocument, fields_of
from ocr_moe.laboratory.splitting import split
from ocr_moe.laboratory.trials import Trial, joined, try_out


def honest_trials(
    documents: Sequence[RecordedDocument],
    configured: Sequence[PolicyCandidate],
    build: PolicyBuilder,
    unit: Unit,
    *,
    fields: tuple[str, ...] | None = None,
    fellows: Sequence[RecordedDocument] = (),
) -> list[Trial]:
    """The configured policies, the same tuned otherwise, and policies fitted here.

    All over the same documents in the same order. A fitted policy is tried on each half of the
    documents as the other half fits it, and stands for the one that all of them fit.
    """
    halves = split(documents, (0.5, 0.5))
    ordered = [*halves[0], *halves[1]]
    fields = fields_of(documents) if fields is None else fields
    plain = [*configured, *tuned(configured, build)]
    trials = [try_out(each, ordered, build, unit, fields, fellows) for each in plain]
    if not halves[0] or not halves[1]:
        return trials
    first, second = ({c.name: c for c in fitted(half, configured, build, unit)} for half in halves)
    for candidate in fitted(documents, configured, build, unit):
        if candidate.name in first and candidate.name in second:
            parts = (
                try_out(second[candidate.name], halves[0], build, unit, fields, fellows),
                try_out(first[candidate.name], halves[1], build, unit, fields, fellows),
            )
            trials.append(joined(candidate, *parts))
    return trials


def cheapest_good(trials: Sequence[Trial], target: float) -> PolicyCandidate:
    """The cheapest policy that is as good as the best one, as far as the documents can tell.

    As good: its accuracy, and then the share of cells that it could accept at the target, is at
    most two standard errors of the paired difference below the best. Of equally cheap ones the more
    accurate is taken, then the one that ran; never one that another beats for no more money.
    """
    accurate = _nearly_best(trials, _right_by_document)
    good = _nearly_best(accurate, lambda trial: _acceptable(trial, target))
    unbeaten = [each for each in good if beaten_by(each, trials) is None]
    return (_cheapest(unbeaten) if unbeaten else most_accurate(trials)).candidate


def most_accurate(trials: Sequence[Trial]) -> Trial:
    """The policy with the highest accuracy; of equals the cheapest, then the one that ran."""
    return min(trials, key=lambda t: (-_accuracy(t), _price(t), not t.candidate.configured))


def beaten_by(trial: Trial, others: Sequence[Trial]) -> Trial | None:
    """The most accurate of the others that are more accurate than this one and cost no more."""
    better = [
        other
        for other in others
        if _accuracy(other) > _accuracy(trial) and _price(other) <= _price(trial)
    ]
    return most_accurate(better) if better else None


def falls_short(trial: Trial, best: Trial) -> bool:
    """Whether a policy has fewer cells right than another on the same documents, beyond chance."""
    return _beyond_chance(_right_by_document(best) - _right_by_document(trial))


def _cheapest(trials: Sequence[Trial]) -> Trial:
    return min(trials, key=lambda t: (_price(t), -_accuracy(t), not t.candidate.configured))


def _price(trial: Trial) -> float:
    return round(trial.mean_amount, 9)


def _accuracy(trial: Trial) -> float:
    """Without the last bits, in which sums of the same shares differ."""
    return round(trial.accuracy, 12)


def _nearly_best(
    trials: Sequence[Trial], measure: Callable[[Trial], NDArray[np.float64]]
) -> list[Trial]:
    scores = [measure(trial) for trial in trials]
    means = [float(of.mean()) for of in scores]
    best = max(range(len(trials)), key=lambda i: (means[i], -trials[i].mean_amount))
    return [
        trial
        for trial, of in zip(trials, scores, strict=True)
        if not _beyond_chance(scores[best] - of)
    ]


def _beyond_chance(away: NDArray[np.float64]) -> bool:
    """Whether the mean of paired differences, one a document, lies over two standard errors above 0."""
    error = float(away.std(ddof=1)) / math.sqrt(len(away)) if len(away) > 1 else 0.0
    return float(away.mean()) > 2.0 * error + 1e-12


def _right_by_document(trial: Trial) -> NDArray[np.float64]:
    return _mean_of_rows(trial.right, trial.asked)


def _acceptable(trial: Trial, target: float) -> NDArray[np.float64]:
    """Per document the share of cells that could be accepted with the target met in every field."""
    inside = np.zeros_like(trial.asked)
    for j, name in enumerate(trial.fields):
        cells = trial.cells(name)
        known = ~np.isnan(cells.confidence)
        for level in np.unique(cells.confidence[known]):
            accepted, wrong = cells.accepted(float(level))
            if wrong <= (1.0 - target) * accepted:
                inside[:, j] = trial.asked[:, j] & (trial.confidence[:, j] >= level)
                break
    return _mean_of_rows(inside, trial.asked)


def _mean_of_rows(hit: NDArray[np.bool_], asked: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Per document the share of its verified cells that are hit."""
    counts = asked.sum(axis=1)
    result: NDArray[np.float64] = (hit & asked).sum(axis=1) / np.maximum(counts, 1)
    return result

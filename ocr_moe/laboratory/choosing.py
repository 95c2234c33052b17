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
) -> list[Trial]:
    """The configured policies, the same tuned otherwise, and policies fitted here.

    A fitted policy is tried on each half of the documents as the other half fits it, and stands for
    the one that all of them fit.
    """
    halves = split(documents, (0.5, 0.5))
    ordered = [*halves[0], *halves[1]]
    fields = fields_of(documents)
    plain = [*configured, *tuned(configured, build)]
    trials = [try_out(candidate, ordered, build, unit, fields) for candidate in plain]
    if not halves[0] or not halves[1]:
        return trials
    first, second = ({c.name: c for c in fitted(half, configured, build, unit)} for half in halves)
    for candidate in fitted(documents, configured, build, unit):
        if candidate.name in first and candidate.name in second:
            parts = (
                try_out(second[candidate.name], halves[0], build, unit, fields),
                try_out(first[candidate.name], halves[1], build, unit, fields),
            )
            trials.append(joined(candidate, *parts))
    return trials


def cheapest_good(trials: Sequence[Trial], target: float) -> PolicyCandidate:
    """The cheapest policy that is as good as the best one, as far as the documents can tell.

    As good: its accuracy, and then the share of cells that it could accept at the target, is at
    most two standard errors of the paired difference below the best.
    """
    accurate = _nearly_best(trials, lambda trial: _mean_of_rows(trial.right, trial.asked))
    good = _nearly_best(accurate, lambda trial: _acceptable(trial, target))
    chosen = min(
        good, key=lambda t: (round(t.mean_amount, 9), -t.accuracy, not t.candidate.configured)
    )
    return chosen.candidate


def _nearly_best(
    trials: Sequence[Trial], measure: Callable[[Trial], NDArray[np.float64]]
) -> list[Trial]:
    scores = [measure(trial) for trial in trials]
    means = [float(of.mean()) for of in scores]
    best = max(range(len(trials)), key=lambda i: (means[i], -trials[i].mean_amount))
    good = []
    for trial, of in zip(trials, scores, strict=True):
        away = scores[best] - of
        error = float(away.std(ddof=1)) / math.sqrt(len(away)) if len(away) > 1 else 0.0
        if float(away.mean()) <= 2.0 * error + 1e-12:
            good.append(trial)
    return good


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

"""The figures of an evaluation, as functions of plain arrays.

Proportions come with Wilson intervals (Wilson 1927), strategies are compared on the same documents
by McNemar's exact test (McNemar 1947) with Holm's correction (Holm 1979), and figures over several
fields by a bootstrap over documents, because the cells of one document are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
Interval = tuple[float, float]

_CHUNK = 250


def wilson(right: int, n: int, level: float = 0.95) -> Interval:
    """Wilson score interval of a proportion; (0, 1) where nothing was counted."""
    from scipy.stats import binomtest

    if n == 0:
        return (0.0, 1.0)
    found = binomtest(right, n).proportion_ci(confidence_level=level, method="wilson")
    return (float(found.low), float(found.high))


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Two-sided exact p-value that A and B are right equally often.

    `only_a` counts the pairs in which only A is right, `only_b` those in which only B is.
    """
    from scipy.stats import binomtest

    if only_a + only_b == 0:
        return 1.0
    return float(binomtest(min(only_a, only_b), only_a + only_b, 0.5).pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm-adjusted p-values, in the order given."""
    adjusted = [1.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def macro(right: FloatArray, asked: FloatArray) -> float:
    """Mean over fields of the share of right cells; shapes (documents, fields)."""
    counted = asked.sum(axis=0)
    fields = counted > 0
    return float((right.sum(axis=0)[fields] / counted[fields]).mean()) if fields.any() else 0.0


def bootstrap_macro(
    right: FloatArray, asked: FloatArray, *, repeats: int = 2000, seed: int = 0
) -> FloatArray:
    """Macro accuracies under resampling of documents; shape (repeats, strategies).

    `right` and `asked` have the shape (strategies, documents, fields) and hold 0 or 1. All
    strategies see the same resamples, so differences between columns are paired.
    """
    strategies, documents, fields = right.shape
    if documents == 0:
        return np.zeros((repeats, strategies))
    generator = np.random.default_rng(seed)
    flat_right = right.transpose(1, 0, 2).reshape(documents, strategies * fields)
    flat_asked = asked.transpose(1, 0, 2).reshape(documents, strategies * fields)
    both = np.concatenate([flat_right, flat_asked], axis=1).astype(np.float32)
    shares = np.full(documents, 1.0 / documents)
    results = []
    for start in range(0, repeats, _CHUNK):
        size = min(_CHUNK, repeats - start)
        weights = generator.multinomial(documents, shares, size=size).astype(np.float32)
        sums = (weights @ both).astype(np.float64)
        hits = sums[:, : strategies * fields].reshape(size, strategies, fields)
        counts = sums[:, strategies * fields :].reshape(size, strategies, fields)
        # A field that no resampled document has says nothing in that repeat.
        shown = counts > 0
        ratios = np.divide(hits, counts, out=np.zeros_like(hits), where=shown)
        results.append(ratios.sum(axis=2) / np.maximum(shown.sum(axis=2), 1))
    return np.concatenate(results)


def percentile_interval(samples: FloatArray, level: float = 0.95) -> Interval:
    """The middle `level` of bootstrap samples."""
    tail = (1 - level) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return (float(low), float(high))


def auroc(confidence: FloatArray, right: BoolArray) -> float | None:
    """Chance that a right cell has a higher confidence than a wrong one, ties counting half.

    None when there are only right or only wrong ones.
    """
    from scipy.stats import rankdata

    positives = int(right.sum())
    negatives = len(right) - positives
    if positives == 0 or negatives == 0:
        return None
    ranks = rankdata(confidence)
    u = float(ranks[right].sum()) - positives * (positives + 1) / 2
    return u / (positives * negatives)


def auroc_interval(value: float, positives: int, negatives: int, level: float = 0.95) -> Interval:
    """Hanley and McNeil's interval of an AUROC (1982).

    A perfect ranking would have no variance; half a pair out of order stands in for it.
    """
    from scipy.stats import norm

    pairs = positives * negatives
    value = (value * pairs + 0.5) / (pairs + 1)
    q1 = value / (2 - value)
    q2 = 2 * value**2 / (1 + value)
    variance = (
        value * (1 - value) + (positives - 1) * (q1 - value**2) + (negatives - 1) * (q2 - value**2)
    ) / (positives * negatives)
    margin = float(norm.ppf((1 + level) / 2)) * float(np.sqrt(max(variance, 0.0)))
    return (max(0.0, value - margin), min(1.0, value + margin))


def expected_calibration_error(
    confidence: FloatArray, right: BoolArray, bins: int = 10
) -> float | None:
    """Mean distance of confidence and accuracy over bins of equal size (Naeini et al. 2015)."""
    if len(confidence) == 0:
        return None
    order = np.argsort(confidence, kind="stable")
    total = 0.0
    for part in np.array_split(order, min(bins, len(order))):
        total += len(part) * abs(float(confidence[part].mean()) - float(right[part].mean()))
    return total / len(confidence)


def brier(confidence: FloatArray, right: BoolArray) -> float | None:
    """Mean squared distance of confidence and outcome (Brier 1950)."""
    if len(confidence) == 0:
        return None
    return float(((confidence - right) ** 2).mean())


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Selective risk when cells are accepted from the most confident downwards.

    Point i accepts every cell with a confidence of at least `thresholds[i]`; cells of one
    confidence come in together.
    """

    coverage: FloatArray
    risk: FloatArray
    thresholds: FloatArray


def risk_coverage(confidence: FloatArray, right: BoolArray) -> RiskCoverage:
    """The curve over all cells; a missing confidence (NaN) is never accepted."""
    known = ~np.isnan(confidence)
    order = np.argsort(-confidence[known], kind="stable")
    sorted_confidence = confidence[known][order]
    wrong = (~right[known][order]).cumsum()
    counts = np.arange(1, len(order) + 1)
    last = np.r_[sorted_confidence[1:] != sorted_confidence[:-1], True] if len(order) else []
    keep = np.flatnonzero(last)
    return RiskCoverage(
        coverage=counts[keep] / max(len(confidence), 1),
        risk=wrong[keep] / counts[keep],
        thresholds=sorted_confidence[keep],
    )


@dataclass(frozen=True, slots=True)
class ReviewPlan:
    """How many cells a person has to check, least confident first, to reach a target."""

    cells: int
    """All cells."""
    checked: int
    """Cells to check; equal to `cells` where nothing less will do."""
    accuracy: float
    """Accuracy after the check, every checked cell being right."""
    threshold: float | None
    """Cells of this confidence and below are checked; None where none is checked."""


def review_curve(confidence: FloatArray, right: BoolArray) -> FloatArray:
    """Accuracy after checking the k least confident cells, for k = 0 … n; shape (n + 1,).

    Cells without a confidence are checked first. Among equals the order does not know the truth:
    each of them is taken to be wrong as often as the others.
    """
    n = len(right)
    if n == 0:
        return np.ones(1)
    filled = np.where(np.isnan(confidence), -1.0, confidence)
    order = np.argsort(filled, kind="stable")
    sorted_confidence, wrong = filled[order], (~right[order]).astype(np.float64)
    _, groups = np.unique(sorted_confidence, return_inverse=True)
    means = np.bincount(groups, weights=wrong) / np.bincount(groups)
    fixed = np.r_[0.0, np.cumsum(means[groups])]
    return np.asarray((right.sum() + fixed) / n, dtype=np.float64)


def review_plan(confidence: FloatArray, right: BoolArray, target: float) -> ReviewPlan:
    """The fewest least-confident cells to check so that accuracy reaches `target`."""
    curve = review_curve(confidence, right)
    n = len(right)
    # The curve sums floating-point shares; without slack 99 of 100 may fall short of 0.99.
    enough = np.flatnonzero(curve >= target - 1e-9)
    checked = int(enough[0]) if len(enough) else n
    threshold = None
    if checked:
        filled = np.where(np.isnan(confidence), -1.0, confidence)
        threshold = max(0.0, float(np.sort(filled, kind="stable")[checked - 1]))
    return ReviewPlan(n, checked, float(curve[checked]) if n else 1.0, threshold)

"""Logistic regression around a starting model, and how strongly it is held to that model.

The prior is Gaussian around the start (the shipped model, or plain judgement), so that a few
documents bend it a little and many documents outvote it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ocr_moe.routing.calibration import PRIOR, Logistic, Weight

_STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0)
"""Candidate precisions of the prior; cross-validation chooses."""
_BIAS_PRECISION = 0.5
_MOST_STEPS = 50
_CONSTANT = 1e-9
"""Features that vary by less tell nothing."""
_FOLDS = 5
_RISING = frozenset(
    (
        *("score", "agree", "evidence", "weakest", "margin", "bound", "others", "confidence"),
        *("conf", "line_confidence", "plausibility", "support", "parses", "check", "agreement"),
        *("logprob", "logprob_mean", "logprob_min", "evidence_score", "in_ocr", "margin_character"),
        *("agreement_free", "first_agrees", "label", "year", "place"),
    )
)
_FALLING = frozenset(
    ("rivals", "rival_score", "notes", "gap", "gap_mean", "snapped", "look", "views", "differs")
)
"""Features that can only speak for a value, or only against it, whatever a few documents say; what
begins with `vote_` speaks for it too."""

Features = Mapping[str, float]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class JudgedValue:
    """One judged value: its features, whether it is right, and the group it must stay with."""

    features: Features
    right: bool
    group: str


def fit_logistic(
    rows: Sequence[JudgedValue], start: Logistic = PRIOR, strength: float = 3.0
) -> Logistic:
    """Maximum a posteriori logistic regression around `start`.

    Columns are standardised; `strength` is the precision of the Gaussian prior on each standardised
    weight. A feature that is missing in some rows gets a weight for that as well. Features whose
    direction is known do not get a weight of the wrong sign.
    """
    if not rows:
        return start
    table = _Table.of(rows, start)
    y = np.array([row.right for row in rows], dtype=np.float64)
    return table.model(table.fit(np.arange(len(rows)), y, strength))


def fitted(rows: Sequence[JudgedValue], start: Logistic) -> Logistic:
    return fit_logistic(rows, start, choose_strength(rows, start))


def choose_strength(rows: Sequence[JudgedValue], start: Logistic = PRIOR) -> float:
    """The strongest prior that is as good as the best one, over folds of whole groups.

    As good: its log-likelihood is within a standard error of the best one's (the one-standard-error
    rule of Breiman et al. 1984), because other documents than these are what counts.
    """
    groups = [row.group for row in rows]
    if len(set(groups)) < 2 * _FOLDS or len({row.right for row in rows}) < 2:
        return _STRENGTHS[-1]
    table = _Table.of(rows, start)
    y = np.array([row.right for row in rows], dtype=np.float64)
    losses = []
    for inside, outside in folds(groups):
        fold = []
        for strength in _STRENGTHS:
            z = table.matrix[outside] @ table.fit(np.array(inside), y, strength)
            fold.append(float((np.logaddexp(0.0, z) - y[outside] * z).mean()))
        losses.append(fold)
    means = np.mean(losses, axis=0)
    best = int(np.argmin(means))
    away = np.array(losses) - np.array(losses)[:, [best]]
    errors = away.std(axis=0, ddof=1) / math.sqrt(len(losses))
    good = [i for i in range(len(_STRENGTHS)) if means[i] - means[best] <= errors[i]]
    return _STRENGTHS[max(good)]


def folds(groups: Sequence[str]) -> Iterable[tuple[list[int], list[int]]]:
    from sklearn.model_selection import GroupKFold

    folds = min(_FOLDS, len(set(groups)))
    if folds < 2:
        return
    for inside, outside in GroupKFold(folds).split(np.zeros(len(groups)), groups=groups):
        yield inside.tolist(), outside.tolist()


@dataclass(frozen=True)
class _Column:
    name: str
    mean: float
    scale: float
    low: float
    high: float
    missing: bool
    """Whether the next column of the matrix tells where the feature is missing."""


@dataclass(frozen=True)
class _Table:
    """Rows as a standardised matrix, and the starting model in the same coordinates."""

    matrix: Floats
    columns: tuple[_Column, ...]
    start: Floats

    @classmethod
    def of(cls, rows: Sequence[JudgedValue], start: Logistic) -> _Table:
        present: dict[str, int] = defaultdict(int)
        for row in rows:
            for name in row.features:
                present[name] += 1
        columns, vectors, weights = [], [np.ones(len(rows))], [start.bias]
        for name in sorted({*present, *start.weights}):
            values = np.array([row.features.get(name, math.nan) for row in rows])
            there = ~np.isnan(values)
            seen = values[there]
            gaps = not there.all()
            old = start.weights.get(name)
            varies = seen.size > 0 and float(seen.std()) > _CONSTANT
            if not varies and not (gaps and seen.size) and old is None:
                continue
            if gaps and not varies and old is None:
                # Said of some values only (`rules=1`): not there means 0, not unknown.
                columns.append(_Column(name, 0.0, 1.0, -math.inf, math.inf, False))
                vectors.append(np.where(there, values, 0.0))
                weights.append(0.0)
                continue
            mean = float(seen.mean()) if seen.size else (old.mean if old else 0.0)
            scale = float(seen.std()) if varies else (old.scale if old else 1.0)
            columns.append(_Column(name, mean, scale, *_range(seen, old), gaps))
            vectors.append(np.where(there, (values - mean) / scale, 0.0))
            slope = old.weight / old.scale if old else 0.0
            weights.append(slope * scale)
            # Standardising moves a constant from the starting model's slope into its bias.
            shift = slope * (mean - old.mean) if old else 0.0
            weights[0] += shift
            if gaps:
                vectors.append((~there).astype(np.float64))
                weights.append((old.missing if old else 0.0) - shift)
        return cls(np.column_stack(vectors), tuple(columns), np.array(weights))

    @cached_property
    def signs(self) -> Floats:
        """Per column of the matrix +1 or -1 where the weight has to have that sign, else 0."""
        signs = [0.0]
        for column in self.columns:
            name = column.name.rpartition(".")[2]
            rising = name in _RISING or name.startswith("vote_")
            signs.append(float(rising) - float(name in _FALLING))
            if column.missing:
                signs.append(0.0)
        return np.array(signs)

    def fit(self, rows: NDArray[np.intp], y: Floats, strength: float) -> Floats:
        """Weights with the signs that they have to have; the others are 0."""
        free = np.ones(self.matrix.shape[1], dtype=bool)
        while True:
            solution = np.zeros(len(free))
            solution[free] = _map_fit(
                self.matrix[np.ix_(rows, free)], y[rows], self.start[free], strength
            )
            wrong = free & (solution * self.signs < 0.0)
            if not wrong.any():
                return solution
            free &= ~wrong

    def model(self, solution: Floats) -> Logistic:
        weights: dict[str, Weight] = {}
        at = 1
        for column in self.columns:
            missing = float(solution[at + 1]) if column.missing else 0.0
            weights[column.name] = Weight(
                weight=float(solution[at]),
                mean=column.mean,
                scale=column.scale,
                missing=missing,
                low=column.low if math.isfinite(column.low) else None,
                high=column.high if math.isfinite(column.high) else None,
            )
            at += 2 if column.missing else 1
        return Logistic(bias=float(solution[0]), weights=weights)


def _range(seen: Floats, old: Weight | None) -> tuple[float, float]:
    """Where the model may be trusted: what was seen, and what the starting model vouches for."""
    span = (float(seen.min()), float(seen.max())) if seen.size else None
    if old is None:
        return span or (-math.inf, math.inf)
    vouched = (
        -math.inf if old.low is None else old.low,
        math.inf if old.high is None else old.high,
    )
    if span is None or float(seen.std()) <= _CONSTANT:
        return vouched
    if old.low is None and old.high is None:
        return span
    return min(span[0], vouched[0]), max(span[1], vouched[1])


def _map_fit(x: Floats, y: Floats, start: Floats, strength: float) -> Floats:
    """Newton's method on the penalised log-likelihood; steps are halved until they gain."""
    precision = np.full(x.shape[1], strength)
    precision[0] = _BIAS_PRECISION
    beta = start.copy()
    loss = _loss(x, y, beta, start, precision)
    for _ in range(_MOST_STEPS):
        p = _sigmoid(x @ beta)
        gradient = x.T @ (p - y) + precision * (beta - start)
        hessian = (x * (p * (1.0 - p))[:, None]).T @ x + np.diag(precision)
        step = np.linalg.solve(hessian, gradient)
        size = 1.0
        while (after := _loss(x, y, beta - size * step, start, precision)) > loss:
            size /= 2.0
            if size < 1e-6:
                return beta
        beta = beta - size * step
        if loss - after < 1e-8 * max(1.0, abs(loss)):
            break
        loss = after
    return beta


def _loss(x: Floats, y: Floats, beta: Floats, start: Floats, precision: Floats) -> float:
    z = x @ beta
    away = beta - start
    return float((np.logaddexp(0.0, z) - y * z).sum() + 0.5 * precision @ away**2)


def _sigmoid(z: Floats) -> Floats:
    result: Floats = 0.5 * (1.0 + np.tanh(0.5 * z))
    return result

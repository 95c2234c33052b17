"""Fits what `ocr_moe.routing.calibration` predicts with: confidences, votes' weights, gates.

Models are logistic regressions with a Gaussian prior around a starting model (the shipped one, or
plain judgement), so that a few documents bend it a little and many documents outvote it. Figures of
quality are cross-fitted: every document is judged by a model that did not see it, nor any other
document of its group.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.metrics import auroc, auroc_interval, brier, expected_calibration_error
from ocr_moe.laboratory.documents import RecordedDocument, groups_of
from ocr_moe.protocols import Combiner, Gate, State
from ocr_moe.routing.calibration import (
    ABSENCE_PRIOR,
    JOINT_PRIOR,
    PRIOR,
    UNFITTED,
    Calibration,
    Logistic,
    Policy,
    PolicyExpert,
    Provenance,
    Quality,
    Weight,
)
from ocr_moe.routing.combiners import Combiner as FeatureCombiner
from ocr_moe.routing.features import candidate_features, state_features
from ocr_moe.schema import Kind
from ocr_moe.types import Cost, Status

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
_FEW = 5
"""With fewer errors than this nothing is said about how well confidence ranks."""

Features = Mapping[str, float]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Row:
    """One judged value: its features, whether it is right, and the group it must stay with."""

    features: Features
    right: bool
    group: str


def fit_logistic(rows: Sequence[Row], start: Logistic = PRIOR, strength: float = 3.0) -> Logistic:
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
    def of(cls, rows: Sequence[Row], start: Logistic) -> _Table:
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


def choose_strength(rows: Sequence[Row], start: Logistic = PRIOR) -> float:
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
    for inside, outside in _folds(groups):
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


def _folds(groups: Sequence[str]) -> Iterable[tuple[list[int], list[int]]]:
    from sklearn.model_selection import GroupKFold

    folds = min(_FOLDS, len(set(groups)))
    if folds < 2:
        return
    for inside, outside in GroupKFold(folds).split(np.zeros(len(groups)), groups=groups):
        yield inside.tolist(), outside.tolist()


Build = Callable[[Calibration], tuple[Gate, Combiner]]
"""Makes a strategy's gate and combiner around a calibration."""


@dataclass(frozen=True)
class Judged:
    """The decisions on one field over many documents, each by a model that did not see it."""

    confidence: Floats
    right: NDArray[np.bool_]


@dataclass(frozen=True)
class CalibrationResult:
    """A fitted calibration, with the cross-fitted cells that its quality is told from."""

    calibration: Calibration
    judged: Mapping[str, Judged]
    """Field name → the judged strategy's decisions."""


def calibrate(
    documents: Sequence[RecordedDocument],
    strategies: Mapping[str, Build],
    *,
    judged: str,
    start: Calibration = UNFITTED,
    provenance: Provenance,
    groups: Sequence[str] | None = None,
) -> CalibrationResult:
    """Fit confidences on all documents; tell their quality for the strategy named `judged`.

    The rows are all states that the strategies pass through, so that a cascade's early decisions
    are calibrated as well as the last ones. `start` is the model that few documents fall back to.
    `groups` tells which documents stay together in cross-validation (say, those of one layout); by
    default those of one file or subject do.
    Raises TruthError when no verified cell was read.
    """
    if not any(document.verified for document in documents):
        raise TruthError("there is no verified cell to calibrate on")
    groups = groups_of(documents) if groups is None else groups
    cells: dict[str, tuple[list[float], list[bool]]] = defaultdict(lambda: ([], []))
    for inside, outside in _folds(groups):
        fitted = _fit(
            [documents[i] for i in inside], [groups[i] for i in inside], strategies, start
        )
        gate, combiner = strategies[judged](fitted)
        for i in outside:
            document = documents[i]
            decisions = document.replay(gate, combiner).decisions
            for name in sorted(document.verified):
                decision = decisions[name]
                if decision.confidence is not None:
                    cells[name][0].append(decision.confidence)
                    cells[name][1].append(document.right(name, decision.value))
    result = {
        name: Judged(np.array(confidence), np.array(right, dtype=bool))
        for name, (confidence, right) in cells.items()
    }
    hashes = tuple(sorted({document.sha256[:8] for document in documents}))
    calibration = _fit(documents, groups, strategies, start).model_copy(
        update={
            "provenance": provenance.model_copy(
                update={"documents": len(documents), "hashes": hashes}
            ),
            "quality": {name: quality_of(name, cell) for name, cell in result.items()},
        }
    )
    return CalibrationResult(calibration, result)


def quality_of(field: str, cells: Judged) -> Quality:
    """Figures and a plain verdict on one field's confidences."""
    n, wrong = len(cells.right), int((~cells.right).sum())
    ranking = auroc(cells.confidence, cells.right)
    if n == 0:
        verdict = f"{field}: no verified cell"
    elif wrong < _FEW:
        errors = "no error" if wrong == 0 else f"{wrong} error" if wrong == 1 else f"{wrong} errors"
        verdict = f"nothing to be said about confidence for {field}: {errors} only among {n}"
    elif ranking is None:
        verdict = f"nothing to be said about confidence for {field}: no right cell among {n}"
    else:
        low, _ = auroc_interval(ranking, n - wrong, wrong)
        if low <= 0.5:
            verdict = (
                f"confidence carries no signal for {field}: AUROC {ranking:.2f}, {wrong} errors"
            )
        else:
            word = (
                "ranks well" if ranking >= 0.9 else "ranks" if ranking >= 0.75 else "ranks poorly"
            )
            verdict = (
                f"confidence {word} for {field}: AUROC {ranking:.2f}, {wrong} errors among {n}"
            )
    return Quality(
        cells=n,
        wrong=wrong,
        auroc=ranking,
        ece=expected_calibration_error(cells.confidence, cells.right),
        brier=brier(cells.confidence, cells.right),
        verdict=verdict,
    )


def _fit(
    documents: Sequence[RecordedDocument],
    groups: Sequence[str],
    strategies: Mapping[str, Build],
    start: Calibration,
) -> Calibration:
    """Models of all candidates first; then, around them, of the decisions they lead to as well."""
    states = _states(documents, groups, strategies, start)
    candidates = _candidate_rows(states)
    first = start.model_copy(
        update={
            "models": {
                **start.models,
                **{kind: _fitted(of, start.models.get(kind, PRIOR)) for kind, of in candidates},
            },
            "weights": vote_weights(documents),
            "provenance": None,
            "quality": {},
        }
    )
    decided: dict[Kind, list[Row]] = defaultdict(list)
    bound: dict[Kind, list[Row]] = defaultdict(list)
    empty: list[Row] = []
    for name, build in strategies.items():
        _, combiner = build(first)
        if not isinstance(combiner, FeatureCombiner):
            continue  # a combiner from elsewhere brings its own confidences
        for document, group, state in states[name]:
            basis: dict[str, dict[str, float]] = {}
            decisions = combiner.combine(state, basis)
            for field in document.schema.fields:
                decision = decisions[field.name]
                if field.name not in document.verified or decision.status is Status.FAILED:
                    continue
                row = Row(basis[field.name], document.right(field.name, decision.value), group)
                if decision.value is None:
                    empty.append(row)
                else:
                    (bound if "bound" in row.features else decided)[field.kind].append(row)
    models = {
        kind: _fitted([*of, *decided[kind]], start.models.get(kind, PRIOR))
        for kind, of in candidates
    }
    joint = {
        kind: _fitted(of, start.joint.get(kind, JOINT_PRIOR)) for kind, of in sorted(bound.items())
    }
    absence = _fitted(empty, start.absence or ABSENCE_PRIOR) if empty else start.absence
    return first.model_copy(
        update={
            "models": {**start.models, **models},
            "joint": {**start.joint, **joint},
            "absence": absence,
        }
    )


_States = Mapping[str, list[tuple[RecordedDocument, str, State]]]


def _states(
    documents: Sequence[RecordedDocument],
    groups: Sequence[str],
    strategies: Mapping[str, Build],
    start: Calibration,
) -> _States:
    """Per strategy what was known after every round of its replay."""
    found: dict[str, list[tuple[RecordedDocument, str, State]]] = {}
    for name, build in strategies.items():
        gate, combiner = build(start)
        found[name] = [
            (document, group, state)
            for document, group in zip(documents, groups, strict=True)
            for state in document.replay(gate, combiner).states
        ]
    return found


def _candidate_rows(states: _States) -> list[tuple[Kind, list[Row]]]:
    """Every different value that an expert gave, once per set of experts that had been asked."""
    rows: dict[Kind, list[Row]] = defaultdict(list)
    seen: set[tuple[str, int, str, frozenset[str]]] = set()
    for document, group, state in (entry for entries in states.values() for entry in entries):
        for field in document.schema.fields:
            readings = state.readings.get(field.name, {})
            key = (document.sha256, document.page, field.name, frozenset(readings))
            if field.name not in document.verified or key in seen:
                continue
            seen.add(key)
            values = dict.fromkeys(
                reading.value
                for reading in readings.values()
                if reading.value is not None and reading.error is None
            )
            for value in values:
                features = candidate_features(field, readings, value)
                rows[field.kind].append(Row(features, document.right(field.name, value), group))
    return sorted(rows.items())


def _fitted(rows: Sequence[Row], start: Logistic) -> Logistic:
    return fit_logistic(rows, start, choose_strength(rows, start))


def vote_weights(documents: Sequence[RecordedDocument]) -> dict[Kind, dict[str, float]]:
    """g of y = Σ g·f: the log-odds of each expert's accuracy per kind of field.

    Log-odds weights are the best ones for independent voters (Nitzan and Paroush 1982). An expert
    that is wrong more often than right keeps a small weight, so that a vote always has a winner.
    """
    counts: dict[Kind, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for document in documents:
        for field in document.schema.fields:
            if field.name not in document.verified:
                continue
            for expert in document.experts:
                reading = document.reading(expert, field.name)
                if reading is not None and reading.value is not None and reading.error is None:
                    count = counts[field.kind][expert]
                    count[0] += document.right(field.name, reading.value)
                    count[1] += 1
    return {
        kind: {
            expert: max(0.05, math.log((right + 0.5) / (n - right + 0.5)))
            for expert, (right, n) in sorted(experts.items())
        }
        for kind, experts in sorted(counts.items())
    }


def fit_policy(
    documents: Sequence[RecordedDocument],
    combiner: Combiner,
    *,
    unit: str,
    price: float = 0.0,
    provenance: Provenance | None = None,
) -> Policy:
    """A learned gate: each expert's chance to be right, given what could be known when it is asked.

    The states are the ones that a gate passes: nothing read yet, then the experts in the order of
    their cost, each time without the one in question, and at last all the others.
    """
    groups = groups_of(documents)
    names = sorted(frozenset().union(*(document.experts for document in documents)))
    costs = {name: mean_cost(documents, name, unit) for name in names}
    order = sorted(names, key=lambda name: (costs[name], name))
    experts = {}
    for name in names:
        others = [other for other in order if other != name]
        rows: dict[Kind, list[Row]] = defaultdict(list)
        for document, group in zip(documents, groups, strict=True):
            for known in range(len(others) + 1):
                state = _state_of(document, others[:known], combiner)
                for field in document.schema.fields:
                    reading = document.reading(name, field.name)
                    if reading is None or field.name not in document.verified:
                        continue
                    right = reading.error is None and document.right(field.name, reading.value)
                    features = state_features(
                        field, state.readings.get(field.name, {}), state.decisions
                    )
                    rows[field.kind].append(Row(features, right, group))
        experts[name] = PolicyExpert(
            cost=costs[name],
            chance={str(kind): _fitted(of, _base_rate(of)) for kind, of in sorted(rows.items())},
        )
    return Policy(provenance=provenance, unit=unit, price=price, experts=experts)


def mean_cost(documents: Sequence[RecordedDocument], expert: str, unit: str) -> float:
    """What a question to the expert takes on average."""
    amounts = [
        amount(answer.cost, unit)
        for document in documents
        for name, _, answer in document.answers
        if name == expert
    ]
    return sum(amounts) / len(amounts) if amounts else 0.0


def amount(cost: Cost, unit: str) -> float:
    """A cost as one number, in `money`, `tokens`, `calls` or `seconds`."""
    match unit:
        case "money":
            return cost.money
        case "tokens":
            return float(cost.prompt_tokens + cost.completion_tokens)
        case "calls":
            return float(cost.calls)
        case "seconds":
            return cost.seconds
    raise ValueError(f"costs are not counted in {unit!r}")


def _state_of(document: RecordedDocument, experts: Sequence[str], combiner: Combiner) -> State:
    readings = {
        field: {
            expert: reading
            for expert in experts
            if (reading := document.reading(expert, field)) is not None
        }
        for field in document.schema.names
    }
    if not experts:
        return State(document.schema, readings)
    state = State(document.schema, readings)
    return State(document.schema, readings, combiner.combine(state))


def _base_rate(rows: Sequence[Row]) -> Logistic:
    right = sum(row.right for row in rows)
    return Logistic(bias=math.log((right + 0.5) / (len(rows) - right + 0.5)))


def today() -> str:
    return datetime.now(UTC).date().isoformat()

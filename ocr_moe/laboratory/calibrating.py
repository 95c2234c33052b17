"""Fits confidences on verified documents, and tells honestly how good they are.

Figures of quality are cross-fitted: every document is judged by a model that did not see it, nor
any other document of its group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.metrics import auroc, auroc_interval, brier, expected_calibration_error
from ocr_moe.laboratory.documents import RecordedDocument
from ocr_moe.laboratory.learning import vote_weights
from ocr_moe.laboratory.logistic import Floats, JudgedValue, fitted, folds
from ocr_moe.laboratory.splitting import groups_of
from ocr_moe.protocols import Combiner, Gate, State
from ocr_moe.routing.calibration import (
    ABSENCE_PRIOR,
    JOINT_PRIOR,
    PRIOR,
    UNFITTED,
    Calibration,
    Provenance,
    Quality,
)
from ocr_moe.routing.combiners import FieldCombiner
from ocr_moe.routing.features import candidate_features
from ocr_moe.schema import Kind
from ocr_moe.types import Status

_FEW = 5
"""With fewer errors than this nothing is said about how well confidence ranks."""

CalibratedBuilder = Callable[[Calibration], tuple[Gate, Combiner]]
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
    strategies: Mapping[str, CalibratedBuilder],
    *,
    judged: str,
    start: Calibration = UNFITTED,
    provenance: Provenance,
    groups: Sequence[str] | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> CalibrationResult:
    """Fit confidences on all documents; tell their quality for the strategy named `judged`.

    The rows are all states that the strategies pass through, so that a cascade's early decisions
    are calibrated as well as the last ones. `start` is the model that few documents fall back to.
    `groups` tells which documents stay together in cross-validation (say, those of one layout); by
    default those of one file or subject do. `report` hears which of how many fits is done.
    Raises TruthError when no verified cell was read.
    """
    if not any(document.verified for document in documents):
        raise TruthError("there is no verified cell to calibrate on")
    groups = groups_of(documents) if groups is None else groups
    cells: dict[str, tuple[list[float], list[bool]]] = defaultdict(lambda: ([], []))
    parts = list(folds(groups))
    for number, (inside, outside) in enumerate(parts, start=1):
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
        report(number, len(parts) + 1)
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
    report(len(parts) + 1, len(parts) + 1)
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
    strategies: Mapping[str, CalibratedBuilder],
    start: Calibration,
) -> Calibration:
    """Models of all candidates first; then, around them, of the decisions they lead to as well."""
    states = _states(documents, groups, strategies, start)
    candidates = _candidate_rows(states)
    first = start.model_copy(
        update={
            "models": {
                **start.models,
                **{kind: fitted(of, start.models.get(kind, PRIOR)) for kind, of in candidates},
            },
            "weights": vote_weights(documents),
            "provenance": None,
            "quality": {},
        }
    )
    decided: dict[Kind, list[JudgedValue]] = defaultdict(list)
    bound: dict[Kind, list[JudgedValue]] = defaultdict(list)
    empty: list[JudgedValue] = []
    for name, build in strategies.items():
        _, combiner = build(first)
        if not isinstance(combiner, FieldCombiner):
            continue  # a combiner from elsewhere brings its own confidences
        for document, group, state in states[name]:
            basis: dict[str, dict[str, float]] = {}
            decisions = combiner.combine(state, basis)
            for field in document.schema.fields:
                decision = decisions[field.name]
                if field.name not in document.verified or decision.status is Status.FAILED:
                    continue
                row = JudgedValue(
                    basis[field.name], document.right(field.name, decision.value), group
                )
                if decision.value is None:
                    empty.append(row)
                else:
                    (bound if "bound" in row.features else decided)[field.kind].append(row)
    models = {
        kind: fitted([*of, *decided[kind]], start.models.get(kind, PRIOR))
        for kind, of in candidates
    }
    joint = {
        kind: fitted(of, start.joint.get(kind, JOINT_PRIOR)) for kind, of in sorted(bound.items())
    }
    absence = fitted(empty, start.absence or ABSENCE_PRIOR) if empty else start.absence
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
    strategies: Mapping[str, CalibratedBuilder],
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


def _candidate_rows(states: _States) -> list[tuple[Kind, list[JudgedValue]]]:
    """Every different value that an expert gave, once per set of experts that had been asked."""
    rows: dict[Kind, list[JudgedValue]] = defaultdict(list)
    seen: set[tuple[str, int, int, str, frozenset[str]]] = set()
    for document, group, state in (entry for entries in states.values() for entry in entries):
        for field in document.schema.fields:
            readings = state.readings.get(field.name, {})
            key = (document.sha256, document.page, document.part, field.name, frozenset(readings))
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
                rows[field.kind].append(
                    JudgedValue(features, document.right(field.name, value), group)
                )
    return sorted(rows.items())

"""How sure a reading of a code is: a small logistic model over its features."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ocr_moe.odds import sigmoid
from ocr_moe.types import Value

_WEIGHTS = {
    "margin": 1.4,
    "agreement": 0.4,
    "agreement_free": 0.3,
    "first_agrees": 0.6,
    "label": 0.6,
    "rivals": -1.0,
    "check_passed": 1.5,
    "check_failed": -8.0,
}
_LARGEST = {"margin": 4.8}


class ConfidenceModel(Value):
    """P(right) = 1 / (1 + exp(-(intercept + Σ weight · feature))); absent features count as 0, a margin
    counts up to 4.8 nats, and the feature `check` counts as `check_passed` and `check_failed`.

    The weights come from generated documents with seeds of their own; a calibration model may take
    the same features and replace the score.
    """

    intercept: float = -1.5
    """Log-odds where no feature says anything."""
    weights: dict[str, float] = _WEIGHTS
    """What a unit of each feature adds to the log-odds."""
    at_first_sight: float = 0.998
    """P(right) of what page OCR read surely."""

    def probability(self, features: Mapping[str, float]) -> float:
        check = features.get("check", 0.0)
        if features.get("look") == 1.0 and check >= 0.0:
            return self.at_first_sight
        known = {**features, "check_passed": max(check, 0.0), "check_failed": max(-check, 0.0)}
        terms = [
            weight * min(known.get(name, 0.0), _LARGEST.get(name, math.inf))
            for name, weight in self.weights.items()
        ]
        return round(sigmoid(self.intercept + sum(terms)), 6)

"""How sure a reading of a code is: a small logistic model over its features."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ocr_moe.types import Value

_WEIGHTS = {
    "margin": 0.35,
    "gap_mean": -0.3,
    "agreement": 1.0,
    "agreement_free": 1.5,
    "check": 1.5,
    "year": 1.5,
    "label": 0.5,
    "first_agrees": 1.0,
    "alien": -4.0,
    "rivals": -1.0,
}


class ConfidenceModel(Value):
    """P(right) = 1 / (1 + exp(-(intercept + Σ weight · feature))); absent features count as 0.

    The weights are fitted on generated documents with seeds of their own (`benchmarks/codes.py`);
    a calibration model may take the same features and replace the score.
    """

    intercept: float = -2.0
    weights: dict[str, float] = _WEIGHTS
    at_first_sight: float = 0.998
    """P(right) of what page OCR read surely."""

    def probability(self, features: Mapping[str, float]) -> float:
        if features.get("look") == 1.0:
            return self.at_first_sight
        terms = [weight * features.get(name, 0.0) for name, weight in self.weights.items()]
        logit = self.intercept + sum(terms)
        return round(1.0 / (1.0 + math.exp(-min(max(logit, -30.0), 30.0))), 6)

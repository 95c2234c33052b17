"""Probabilities and their log-odds, in nats."""

from __future__ import annotations

import math

FEATURE_EDGE = 1e-4
"""How near to 0 and 1 a score counts as a feature: models are fitted on hundreds of documents, which
cannot tell one error in ten thousand from none."""
DECISION_EDGE = 1e-6
"""How near to 0 and 1 a confidence is kept where evidence is added to it: six decimals are written."""


def sigmoid(x: float) -> float:
    """The probability of the log-odds `x`; never overflows."""
    if x >= 0.0:
        return 1.0 / (1.0 + math.exp(-x))
    e = math.exp(x)
    return e / (1.0 + e)


def logit(p: float, edge: float = FEATURE_EDGE) -> float:
    """Log-odds of a probability, kept away from 0 and 1 by `edge`."""
    p = inside(p, edge)
    return math.log(p / (1.0 - p))


def inside(p: float, edge: float = FEATURE_EDGE) -> float:
    """The probability, kept away from 0 and 1 by `edge`."""
    return min(max(p, edge), 1.0 - edge)

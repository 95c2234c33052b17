"""What the laboratory tells an evaluation: further points of the chart, and the policy to use."""

from __future__ import annotations

from typing import Literal

from ocr_moe.evaluation.costs import Unit
from ocr_moe.types import Value


class PolicyPoint(Value):
    """A further point of the accuracy-cost chart: a bound, or a policy that was not run live."""

    name: str
    role: Literal["oracle", "random_mix", "best_single", "recommended", "policy"]
    accuracy: float
    """Macro accuracy over the same documents."""
    cost: float
    """Per document."""
    unit: Unit
    """What `cost` is counted in; charts in another unit leave the point out."""


class Advice(Value):
    """The policy to use, and the fields in which what it accepts is certified to be right."""

    name: str
    target: float
    """Accuracy that was asked for, 0-1."""
    confidence: float
    """Chance that a certificate holds, 0-1."""
    certified: tuple[str, ...]
    uncertified: tuple[str, ...]
    """Fields that people still have to check."""
    missing: int = 0
    """About how many more verified documents it takes; 0 where more would not help."""

    @property
    def passed(self) -> bool:
        return not self.uncertified

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


Fallback = Literal["too_few", "nothing_certified", "less_accurate"]
"""Why the most accurate strategy that ran is recommended: there are too few verified documents to choose
among others; nothing could be certified of the one that was chosen; it lost to what ran."""


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
    fallback: Fallback | None = None
    """Why it is what ran; None for a policy that was chosen among others."""
    instead_of: str = ""
    """The policy that lost to it, where one did."""

    @property
    def passed(self) -> bool:
        return not self.uncertified

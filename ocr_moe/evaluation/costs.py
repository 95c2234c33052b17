"""A cost as one number, and the unit in which costs are told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, assert_never, get_args

from ocr_moe.types import Cost

Unit = Literal["money", "tokens", "seconds"]
"""What costs are counted in. Calls are none: they say nothing of their size."""
UNITS: tuple[Unit, ...] = get_args(Unit)
"""The one that says most first."""


def amount(cost: Cost, unit: Unit) -> float:
    """A cost as one number. Tokens are those of prompt and completion together."""
    match unit:
        case "money":
            return cost.money
        case "tokens":
            return float(cost.prompt_tokens + cost.completion_tokens)
        case "seconds":
            return cost.seconds
    assert_never(unit)


def unit_for(costs: Iterable[Cost]) -> Unit:
    """Money where prices are configured, else tokens where there are any, else time."""
    total = sum(costs, Cost())
    return next((unit for unit in UNITS if amount(total, unit) > 0.0), "seconds")

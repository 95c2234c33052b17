"""What else a cell might hold: every value that was offered for it, with its chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ocr_moe.protocols import State
from ocr_moe.routing.combiners import FieldCombiner
from ocr_moe.schema import Field
from ocr_moe.types import HUMAN, Decision, Judgement, Reading

MOST = 9
"""Candidates of a cell: one a digit key."""
_LEAST = 1e-4
"""Chance below which a value is not worth a key."""


@dataclass(frozen=True)
class Candidate:
    """A value that a cell might hold."""

    value: str
    experts: tuple[str, ...]
    """Who offers it; reviewers are `human`."""
    chance: float | None
    """That it is right, 0-1; None where nothing is known of it."""


def candidates_of(
    field: Field,
    decision: Decision,
    readings: Mapping[str, Reading],
    judgements: Sequence[Judgement],
    combiner: object,
    state: State | None,
) -> tuple[Candidate, ...]:
    """The values that experts and reviewers offer for a cell, the likeliest first.

    The chance of a value that an expert gives is the combiner's, calibrated; its alternatives share it
    by their log-probabilities.
    """
    offered: dict[str, set[str]] = {}
    chances: dict[str, float] = {}

    def offer(value: str | None, who: str, chance: float | None) -> None:
        if value is None:
            return
        offered.setdefault(value, set()).add(who)
        if chance is not None:
            chances[value] = max(chances.get(value, 0.0), chance)

    for expert, reading in readings.items():
        if reading.value is None or reading.error is not None:
            continue
        chance = reading.score
        if isinstance(combiner, FieldCombiner) and state is not None:
            chance = combiner.chance(field, readings, reading.value)
        offer(reading.value, expert, chance)
        if not reading.alternatives:
            continue
        first = reading.alternatives[0].logprob
        for other in reading.alternatives[1:]:
            share = math.exp(min(other.logprob - first, 0.0))
            offer(other.value, expert, None if chance is None else chance * share)
    if decision.value is not None and HUMAN not in decision.experts:
        offer(decision.value, next(iter(decision.experts), ""), decision.confidence)
    for judgement in judgements:
        offer(judgement.value, HUMAN, None)
    found = [
        Candidate(value, tuple(sorted(filter(None, experts))), chances.get(value))
        for value, experts in offered.items()
        if HUMAN in experts or chances.get(value, 1.0) >= _LEAST
    ]
    found.sort(key=lambda each: (-(each.chance if each.chance is not None else 1.0), each.value))
    return tuple(found[:MOST])

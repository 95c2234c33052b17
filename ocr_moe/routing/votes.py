"""Aligned, weighted votes over characters: y = Σ g_i · f_i for strings.

The readings are aligned one after the other to a confusion network, as ROVER does for speech
(Fiscus 1997, "A post-processing system to yield reduced word error rates"), and every position is
decided by the sum of the weights; "no character" is a candidate as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rapidfuzz.distance import Levenshtein


class Ballot(NamedTuple):
    """One expert's string with its weight g, and optionally a confidence per character."""

    value: str
    weight: float
    characters: tuple[float, ...] = ()


class Poll(NamedTuple):
    """The string that was elected and the share of the votes behind each of its characters."""

    value: str
    shares: tuple[float, ...]


_GAP = ""


def vote(ballots: Sequence[Ballot]) -> Poll:
    """Elect a string, character by character. The order of the ballots does not matter."""
    ranked = sorted(ballots, key=lambda b: (-b.weight, b.value, b.characters))
    slots: list[dict[str, float]] = []
    cast = 0.0
    for ballot in ranked:
        weights = _weights(ballot)
        reference = "".join(_leader(slot) for slot in slots)
        grown: list[dict[str, float]] = []
        for step in Levenshtein.opcodes(reference, ballot.value):
            i1, i2, j1, j2 = step.src_start, step.src_end, step.dest_start, step.dest_end
            for i in range(i1, i2):
                slot = slots[i]
                j = j1 + i - i1
                if step.tag == "delete":
                    slot[_GAP] = slot.get(_GAP, 0.0) + ballot.weight
                else:
                    slot[ballot.value[j]] = slot.get(ballot.value[j], 0.0) + weights[j]
                grown.append(slot)
            if step.tag == "insert":
                grown.extend({_GAP: cast, ballot.value[j]: weights[j]} for j in range(j1, j2))
        slots = grown
        cast += ballot.weight
    elected, shares = [], []
    for slot in slots:
        winner = max(slot, key=lambda character: slot[character])
        if winner != _GAP:
            elected.append(winner)
            total = sum(slot.values())
            shares.append(slot[winner] / total if total > 0.0 else 0.0)
    return Poll("".join(elected), tuple(shares))


def plurality(ballots: Sequence[Ballot]) -> Poll:
    """Elect one of the strings as a whole; ties go to the first in order of characters."""
    totals: dict[str, float] = {}
    for ballot in ballots:
        totals[ballot.value] = totals.get(ballot.value, 0.0) + ballot.weight
    winner = min(totals, key=lambda value: (-totals[value], value))
    everything = sum(totals.values())
    share = totals[winner] / everything if everything > 0.0 else 0.0
    return Poll(winner, (share,) * len(winner))


def _weights(ballot: Ballot) -> Sequence[float]:
    if len(ballot.characters) != len(ballot.value):
        return (ballot.weight,) * len(ballot.value)
    return tuple(ballot.weight * confidence for confidence in ballot.characters)


def _leader(slot: Mapping[str, float]) -> str:
    return max((c for c in slot if c != _GAP), key=lambda character: slot[character])

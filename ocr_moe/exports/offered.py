"""The values that experts offered for a cell, as its exports list them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ocr_moe.types import HUMAN, Answer, Record


class Offer(NamedTuple):
    """A value, and who offers it."""

    value: str
    experts: tuple[str, ...]


def offered(record: Record, field: str, answers: Mapping[str, Sequence[Answer]]) -> list[Offer]:
    """Every value that stands in the cell or that an expert offered for it: the cell's own first, then
    values that experts gave, then their alternatives by their chance."""
    ranks: dict[str, tuple[int, float]] = {}
    experts: dict[str, set[str]] = {}

    def offer(value: str | None, who: str, rank: tuple[int, float]) -> None:
        if value is not None:
            ranks[value] = min(rank, ranks.get(value, rank))
            experts.setdefault(value, set()).add(who)

    decision = record.fields[field]
    for expert in decision.experts:
        if expert != HUMAN:
            offer(decision.value, expert, (0, 0.0))
    for expert, given in answers.items():
        for reading in (r for answer in given for r in answer.readings if r.field == field):
            if reading.error is None:
                offer(reading.value, expert, (1, -(reading.score or 0.0)))
                for other in reading.alternatives:
                    offer(other.value, expert, (2, -other.logprob))
    return [
        Offer(value, tuple(sorted(experts[value])))
        for value in sorted(ranks, key=lambda value: (ranks[value], value))
    ]

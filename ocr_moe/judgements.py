"""What people's judgements on a document come to, field by field.

A later judgement outranks an earlier one: whoever gave it saw what stood there.  Independent ones
(double entry) were given without knowing the others; where they differ nothing is verified, until
somebody who sees them decides (adjudication).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ocr_moe.types import HUMAN, Decision, Judgement, JudgementKind, Status

RELIABILITY = 0.995
"""Chance that a person's word is right, where nothing was measured: what careful keying of one cell
from its picture comes to. It is the confidence of a verified value, and never 1."""
OF_PAGES = (JudgementKind.SCHEMA, JudgementKind.REGIONS)
"""What is said of a page before it is read: it has to be read again."""
_DISPUTED = 0.5
"""Confidence of a value on which reviewers differ."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What people say of one field."""

    value: str | None
    """None: it is not on the document."""
    reviewer: str
    at: str
    others: tuple[Judgement, ...] = ()
    """Independent judgements that say something else: the field is in dispute."""
    cells: tuple[tuple[int, str], ...] | None = None
    """Of a table, the cells that the person looked at: (row, column); None for all of it."""

    @property
    def disputed(self) -> bool:
        return bool(self.others)


def verdicts_of(judgements: Iterable[Judgement]) -> dict[str, Verdict]:
    """Field → verdict, of the judgements on one document in the order in which they were given,
    without those that were taken back."""
    by_field: dict[str, list[Judgement]] = {}
    for each in judgements:
        if each.kind is JudgementKind.VALUE:
            given = by_field.setdefault(each.field, [])
            if not each.independent:
                given.clear()
            given.append(each)
    return {name: _verdict(given) for name, given in by_field.items()}


def latest(judgements: Iterable[Judgement], kind: JudgementKind) -> Judgement | None:
    """The last judgement of a kind, which outranks those before it; None where there is none."""
    found = None
    for each in judgements:
        if each.kind is kind:
            found = each
    return found


def _verdict(given: list[Judgement]) -> Verdict:
    """Of the last judgement that knew of the others, and the independent ones after it; of one
    person's the last counts."""
    latest = list({each.reviewer: each for each in given}.values())
    first = latest[0]
    others = tuple(each for each in latest[1:] if each.value != first.value)
    return Verdict(first.value, first.reviewer, first.at, others, first.cells)


def judged(decision: Decision, verdict: Verdict) -> Decision:
    """A decision with a person's word in place of the value; a note says what was read instead."""
    if verdict.disputed:
        said = [(verdict.reviewer, verdict.value), *((o.reviewer, o.value) for o in verdict.others)]
        words = "; ".join(f"{who} says {value or 'absent'}" for who, value in said)
        return decision.model_copy(
            update={
                "value": verdict.value,
                "confidence": _DISPUTED,
                "ceiling": _DISPUTED,
                "status": Status.ABSTAINED,
                "experts": (HUMAN,),
                "characters": (),
                "notes": (f"reviewers differ: {words}",),
            }
        )
    notes: tuple[str, ...] = ()
    if decision.value != verdict.value and decision.value is not None:
        notes = (f"was {decision.value}",)
    return Decision(
        value=verdict.value,
        confidence=RELIABILITY,
        status=Status.VERIFIED,
        experts=(HUMAN,),
        evidence=decision.evidence,
        notes=notes,
        reviewer=verdict.reviewer,
        at=verdict.at,
    )


def with_verdicts(
    decisions: Mapping[str, Decision], verdicts: Mapping[str, Verdict]
) -> Mapping[str, Decision]:
    """Decisions in which people's words stand, whoever made them."""
    if not verdicts:
        return decisions
    return {
        name: judged(decision, verdicts[name])
        if name in verdicts and HUMAN not in decision.experts
        else decision
        for name, decision in decisions.items()
    }

"""What is made of a text, such as a summary: nobody can say that it was read right.

Experts are believed in the order in which they were asked, the last first: a gate asks the next one
because those before it were not enough. Of a closed field, such as a sentiment, the surest one counts:
two that agree are surer than each, and where they differ a person decides. A made text has no
confidence but its expert's own score; without one it stands, with none.
"""

from __future__ import annotations

from collections.abc import Mapping

from ocr_moe.routing.settings import UNDECIDED, Thresholds
from ocr_moe.schema import Field
from ocr_moe.types import Decision, Reading, Status
from ocr_moe.values.kinds import kind_of

_MOST = 0.99
"""The most that experts who agree are believed: they go by the same words."""
_UNASKED = "no expert that makes this field could be asked"


def made_decision(field: Field, readings: Mapping[str, Reading], accept: Thresholds) -> Decision:
    """The decision on a field whose value is made."""
    speaking = {e: r for e, r in readings.items() if r.value is not None and r.error is None}
    errors = tuple(
        f"{expert} could not answer: {reading.error.message}"
        for expert, reading in readings.items()
        if reading.error is not None
    )
    if speaking and kind_of(field).closed:
        return _chosen(field, speaking, errors, accept)
    if speaking:
        expert, reading = list(speaking.items())[-1]
        stands = reading.score is None or accept.reached(field, reading.score)
        return Decision(
            value=reading.value,
            confidence=reading.score,
            status=Status.ACCEPTED if stands else Status.ABSTAINED,
            experts=(expert,),
            evidence=reading.evidence,
            notes=tuple(dict.fromkeys((*reading.notes, *errors))),
        )
    silent = [note for reading in readings.values() for note in reading.notes]
    notes = tuple(dict.fromkeys((*silent, *errors))) or (() if readings else (_UNASKED,))
    if len(errors) == len(readings) and (readings or field.required):
        return Decision(status=Status.FAILED, notes=notes)
    return Decision(status=Status.ABSTAINED if field.required else Status.ABSENT, notes=notes)


def _chosen(
    field: Field, speaking: Mapping[str, Reading], errors: tuple[str, ...], accept: Thresholds
) -> Decision:
    """The value of a closed field that its experts are surest of."""
    scores = {e: UNDECIDED if r.score is None else r.score for e, r in speaking.items()}
    surest = max(speaking, key=lambda expert: scores[expert])
    best = speaking[surest]
    agreeing = [expert for expert, reading in speaking.items() if reading.value == best.value]
    others = [
        f"{expert} says {reading.value}"
        for expert, reading in speaking.items()
        if expert not in agreeing
    ]
    doubt = 1.0
    for expert in agreeing:
        doubt *= 1.0 - scores[expert]
    confidence = (
        scores[surest] if len(agreeing) == 1 else max(scores[surest], min(1 - doubt, _MOST))
    )
    if others:
        confidence = min(confidence, UNDECIDED)
    stands = not others and accept.reached(field, confidence)
    return Decision(
        value=best.value,
        confidence=confidence,
        status=Status.ACCEPTED if stands else Status.ABSTAINED,
        experts=(surest, *(expert for expert in agreeing if expert != surest)),
        evidence=best.evidence,
        notes=tuple(dict.fromkeys((*best.notes, *others, *errors))),
    )

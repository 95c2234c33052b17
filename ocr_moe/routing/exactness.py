"""What the word of an exact expert comes to beside the print.

An exact expert reads what cannot be misread, such as a QR code; which ones are, a combiner's `exact`
says.  Its value and the print may differ all the same: the one may be older, or the page tampered with.
So its word is weighed by what all readings of the field say together, by five rules:

    agreed      another expert reads the same: the value stands
    misread     all others read a code that fails its check and is nearly the exact one, which passes it:
                the value stands
    alone       nobody else has a value: it stands with the chance that the expert's own score says
    abridged    of a text or a date one says only the beginning of the other: no contradiction, and
                the print is judged as if it had been alone
    contested   anything else: whatever value is chosen, a person decides, and a note names them all

Several exact values that differ are contested as well.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from ocr_moe.folds import fold_value
from ocr_moe.odds import logit
from ocr_moe.routing.settings import UNDECIDED
from ocr_moe.schema import Field, Kind
from ocr_moe.types import Reading
from ocr_moe.values.normalize import equal

_AGREED = 0.995
"""Chance that a value is right which an exact expert and the print name alike.  All such values on 80
real licences were right, 86 of them; by Jeffreys' prior that makes 0.994."""
_NEAR = 3
"""Characters by which a misread code may differ from the right one …"""
_LEAST_ALIKE = 0.75
"""… while so much of it, at least, is alike."""
_SHOWN = 80
"""Characters of a value that a note shows."""


@dataclass(frozen=True)
class ExactWord:
    """What exact experts say of a field, in the light of the other readings."""

    value: str
    """The value that they name; where it is contested, one of several that may be right."""
    floor: float | None = None
    """Log-odds below which the value is not believed; None where it does not stand by itself."""
    contested: bool = False
    notes: tuple[str, ...] = ()


def exact_word(
    field: Field, speaking: Mapping[str, Reading], exact: Collection[str]
) -> ExactWord | None:
    """The word of the experts named in `exact` on a field; None where they say nothing of it.

    `speaking` are the readings that have a value.  A word that neither stands nor is contested leaves
    the print to itself.
    """
    named = [reading for expert, reading in speaking.items() if expert in exact]
    if not named:
        return None
    first = named[0]
    value = first.value or ""
    alone = logit(UNDECIDED if first.score is None else first.score)
    printed = {
        expert: reading.value or "" for expert, reading in speaking.items() if expert not in exact
    }
    said = dict.fromkeys(each for reading in named for each in _all_values(reading))
    if not all(equal(field, value, each) for each in said):
        return ExactWord(
            value, contested=True, notes=first.notes or (" or ".join(map(_short, said)),)
        )
    if not printed:
        return ExactWord(value, alone)
    if any(equal(field, value, each) for each in printed.values()):
        return ExactWord(value, max(alone, logit(_AGREED)))
    if all(_is_misread(field, value, each) for each in printed.values()):
        return ExactWord(value, alone)
    if any(_is_abridged(field, value, each) for each in printed.values()):
        return ExactWord(value)
    source = (
        value if first.evidence is None else f"{_short(first.evidence.text)} says {_short(value)}"
    )
    others = ", ".join(f"{_short(each)} ({expert})" for expert, each in printed.items())
    return ExactWord(value, contested=True, notes=(f"{source}, the print says {others}",))


def _all_values(reading: Reading) -> list[str]:
    return [reading.value or "", *(other.value for other in reading.alternatives)]


def _is_misread(field: Field, value: str, other: str) -> bool:
    """Whether the print is surely this code: one with a check, of which OCR missed a few characters."""
    if _vouched(field, value) is not True or _vouched(field, other) is not False:
        return False
    distance = Levenshtein.distance(value, other, score_cutoff=_NEAR)
    return distance <= min(_NEAR, round((1 - _LEAST_ALIKE) * len(value)))


def _is_abridged(field: Field, value: str, other: str) -> bool:
    """Whether one is the beginning of the other, in a kind of field where that is no other value."""
    if field.kind not in (Kind.TEXT, Kind.DATE):
        return False
    short, long = sorted((fold_value(value), fold_value(other)), key=len)
    return bool(short) and long.startswith(short)


def _vouched(field: Field, code: str) -> bool | None:
    """Whether a check character vouches for a code; None: it has none, and may be right."""
    checks = [grammar.checks(code) for grammar in field.grammars if grammar.matches(code)]
    if not field.grammars or None in checks:
        return True if True in checks else None
    return True in checks


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"

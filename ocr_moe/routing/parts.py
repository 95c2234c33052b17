"""What the parts of a code say of other fields: a record-level step over recorded readings.

A machine-readable zone names its holder and dates again, an identity number the day of birth; a schema
says so by a field's `from`.  A part is worth what the code is worth there:

- a part with a check digit of its own, or under the check of the whole code, is wrong only where its
  characters were misread *and* the check agrees all the same, one time in ten;
- a part under no check is as sure as its characters;
- a part whose check digit is wrong is hardly believed, and so is one of a code of no known form.

Where the print says the same, both speak for it; where it says something else and is not hopeless, a
person decides.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from datetime import date

from ocr_moe.codes.grammar import FILLER, CodeGrammar
from ocr_moe.protocols import State
from ocr_moe.routing.settings import UNDECIDED
from ocr_moe.schema import CodePart, Field, Kind
from ocr_moe.types import Decision, Evidence, Status, Value
from ocr_moe.values.normalize import equal, normalize


class PartsParams(Value):
    """How far a part of a code is believed."""

    chance: float = 0.1
    """How often a misread part has the right check digit: one digit of ten."""
    most: float = 0.995
    """The most that a part is believed: the code may be another document's."""
    unchecked: float = 0.3
    """The most that a part with a wrong check digit is believed."""
    contested: float = UNDECIDED
    """The most that a value is believed where print and code differ: one of two is right, if any."""
    coincidence: float = 0.3
    """How often print and code, both misread, say the same all the same: of two sexes half the time, of
    a date or a name hardly ever."""
    heard: float = 0.2
    """Confidence from which the print is heard against the code. What is below was hardly read."""


class Parts:
    """A record-level step over all readings: pure, it asks nobody."""

    Params = PartsParams

    def __init__(self, params: PartsParams) -> None:
        self._params = params

    def bind(self, state: State, decisions: Mapping[str, Decision]) -> dict[str, Decision]:
        """One decision per given decision; unchanged ones are the same objects."""
        bound = dict(decisions)
        for field in state.schema.fields:
            if field.origin is None or field.name not in bound:
                continue
            code = state.schema.field(field.origin.field)
            said = self._said(field, field.origin, code, decisions[code.name])
            if said is not None:
                bound[field.name] = self._joined(field, code.name, decisions[field.name], *said)
        return bound

    def _said(
        self, field: Field, origin: CodePart, code: Field, decision: Decision
    ) -> tuple[str, float, Decision] | None:
        """(value, chance that it is right, the code's decision), where the code tells it."""
        text = decision.value
        grammar = next((g for g in code.grammars if text is not None and g.matches(text)), None)
        if text is None or grammar is None or decision.confidence is None:
            return None
        spans = grammar.parse(text) or {}
        if not spans.keys() >= set(origin.part):
            return None
        printed = "".join(text[slice(*spans[part])] for part in origin.part)
        later = text[slice(*spans[origin.before])] if origin.before in spans else ""
        value = value_of(field, origin, printed, later)
        if value is None:
            return None
        chances = [self._chance(grammar, text, decision, part, spans[part]) for part in origin.part]
        return value, min(chances), decision

    def _chance(
        self, grammar: CodeGrammar, code: str, decision: Decision, part: str, span: tuple[int, int]
    ) -> float:
        """How likely a part is right."""
        sure = decision.confidence or 0.0
        alike = len(decision.characters) == len(code)
        read = math.prod(decision.characters[slice(*span)]) if alike else sure
        segment = next(segment for segment in grammar.segments if segment.name == part)
        own = grammar.part_checks(code).get(part)
        whole = grammar.checks(code)
        if own is False:
            return min(read, self._params.unchecked)
        if own:
            chance = 1.0 - (1.0 - read) * self._params.chance
        elif whole and segment.covered:
            chance = max(1.0 - (1.0 - read) * self._params.chance, sure)
        elif whole is None:
            chance = min(read, sure)
        elif whole or not segment.covered:
            chance = read
        else:
            chance = min(read, sure)
        return min(chance, self._params.most, decision.ceiling)

    def _joined(
        self, field: Field, code: str, printed: Decision, value: str, chance: float, said: Decision
    ) -> Decision:
        """The field's decision in the light of the code's part."""
        own = printed.confidence or 0.0
        told: dict[str, object] = {
            "value": value,
            "confidence": round(chance, 6),
            "experts": said.experts,
            "evidence": said.evidence,
            "characters": (),
            "settled": True,
        }
        if printed.status is Status.FAILED:
            told["status"] = Status.ABSTAINED
        if printed.value is None:
            return printed.model_copy(update=told)
        if _of_a_short_year(field, printed, value) or _of_a_month(field, printed, value):
            printed = printed.model_copy(update={"value": value})
        if _same(field, printed.value or "", value):
            both = max(own, chance)
            if not _overlap(printed.evidence, said.evidence):
                both = 1.0 - (1.0 - own) * (1.0 - chance) * self._params.coincidence
            if _has_marks(field, printed.value or "", value):
                both = own  # no zone says which marks the letters have: Ń is as well Ñ
            update = {
                "confidence": round(min(both, max(self._params.most, own)), 6),
                "experts": tuple(dict.fromkeys((*printed.experts, *said.experts))),
                "settled": True,
            }
            return printed.model_copy(update=update)
        note = f"{field.name}: {code} says {value}, the print says {printed.value}"
        notes = tuple(dict.fromkeys((*printed.notes, note)))
        if own < self._params.heard:
            return printed.model_copy(update=told | {"notes": notes})
        chosen = told if chance > own else {}
        doubt = min(max(own, chance), self._params.contested)
        return printed.model_copy(
            update=chosen | {"confidence": doubt, "ceiling": doubt, "notes": notes, "settled": True}
        )


def value_of(field: Field, origin: CodePart, printed: str, later: str = "") -> str | None:
    """What a part of a code means as a value of the field; None where it is empty or means nothing.

    `later` is the text of the part with a later date.
    """
    if origin.values:
        return origin.values.get(printed)
    if field.kind is Kind.DATE:
        return _date_of(printed, later, birthlike=bool(origin.before))
    if origin.name is not None:
        primary, _, secondary = printed.partition(FILLER * 2)
        printed = primary if origin.name == "primary" else secondary
    text = printed.replace(FILLER, "" if field.kind is Kind.CODE else " ").strip()
    return normalize(field, text) if text else None


_TURN = 70
"""Two-digit years from which a date that nothing else bounds is of the last century: machine-readable
documents are younger than that."""


def _date_of(text: str, later: str, *, birthlike: bool) -> str | None:
    """YYMMDD or YYYYMMDD as ISO 8601; the century is the last that makes it earlier than `later`."""
    if not text.isascii() or not text.isdigit() or len(text) not in (6, 8):
        return None
    if len(text) == 8:
        return _iso(int(text[:4]), text[4:])
    short = int(text[:2])
    recent = 2000 + short if short < _TURN else 1900 + short
    if not birthlike:
        return _iso(recent, text[2:])
    bound = _date_of(later, "", birthlike=False) if later else None
    if bound is None:  # the century cannot be told
        return None
    dates = [_iso(century + short, text[2:]) for century in (2000, 1900)]
    return next((each for each in dates if each is not None and each < bound), None)


def _iso(year: int, month_and_day: str) -> str | None:
    try:
        return date(year, int(month_and_day[:2]), int(month_and_day[2:])).isoformat()
    except ValueError:
        return None


_WRITTEN_OUT = str.maketrans(
    {
        **{"Ä": "AE", "Ö": "OE", "Ü": "UE", "Å": "AA", "Æ": "AE", "Œ": "OE", "Ø": "OE", "ẞ": "SS"},
        **{"Ł": "L", "Đ": "D", "Ð": "D", "Þ": "TH", "Ħ": "H", "Ŧ": "T", "Ŀ": "L", "Ŋ": "N"},
    }
)
"""Letters that zones write as others, ICAO Doc 9303 part 3, section 6; mere marks are left out."""
_WRITTEN_OTHERWISE = (Kind.DATE, Kind.ENUM, Kind.MONEY, Kind.NUMBER, Kind.PERCENTAGE, Kind.TIME)
"""Kinds whose values are compared by what they mean, and never letter by letter."""


def _same(field: Field, printed: str, value: str) -> bool:
    """Whether print and code say the same; a zone writes names without accents, marks and case."""
    if equal(field, printed, value):
        return True
    if field.kind in _WRITTEN_OTHERWISE:
        return False
    return _plain(value) in (_plain(printed), _plain(printed.upper().translate(_WRITTEN_OUT))) and (
        _plain(value) != ""
    )


def _has_marks(field: Field, printed: str, value: str) -> bool:
    """Whether letters of the print have marks, or are letters, that the code has to write otherwise."""
    return not equal(field, printed, value) and any(
        char.isalpha() and not char.isascii() for char in printed
    )


def _of_a_short_year(field: Field, printed: Decision, value: str) -> bool:
    """Whether the print shows but two digits of the year of this date: 31 MAR 30 is 2030 where a zone
    tells the century."""
    if field.kind is not Kind.DATE or printed.evidence is None or printed.value is None:
        return False
    return printed.value[2:] == value[2:] and printed.value[:4] not in printed.evidence.text


def _of_a_month(field: Field, printed: Decision, value: str) -> bool:
    """Whether the print gives year and month alone of the code's date: 1990年5月 of 19900517."""
    return field.kind is Kind.DATE and value.startswith(f"{printed.value}-")


def _overlap(printed: Evidence | None, code: Evidence | None) -> bool:
    """Whether the print was read where the code stands, so that they are one witness, not two."""
    if printed is None or code is None or printed.page != code.page:
        return False
    x, y = (printed.box[0] + printed.box[2]) / 2, (printed.box[1] + printed.box[3]) / 2
    left, top, right, bottom = code.box
    return left <= x <= right and top <= y <= bottom


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text).upper()
    return "".join(c for c in letters if c.isalnum())

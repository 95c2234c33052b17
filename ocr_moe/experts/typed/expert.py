"""The `typed` expert: fields that have a language, decoded from the recogniser's own posteriors.

Where a value may stand is what the `rules` expert goes by, too (`ocr_moe.reading.gathering`).  What
page OCR read surely there, and the language knows outright, is the answer at first sight.  Else the
likeliest places are cut out of the page and read by a line recogniser, and strings compete: the n
best ones of its CTC posterior, what page OCR read, and what the language proposes (a list's names
near them).  Each has its exact likelihood, summed over all alignments, and the language's prior;
strings of one meaning are added up.  Strings outside the language compete, too, so that a list is a
prior and never a cage.

Features of a reading, for calibration:

    first_sight     1 where page OCR's reading, or the document's own text, stood without another look
    conf            lowest confidence of the OCR lines that carry the value
    place           belief in the place, as the `rules` expert has it (0-1)
    places          how many places were looked at
    familiar        1 where the language knows the value outright (a listed name)
    prior           the language's natural-log prior of the value
    looks           natural-log belief that it looks like one of the language (0 where it tells nothing)
    margin          nats between the best two values
    likelihood      log-likelihood of the winning string per character, without its prior
    gap             nats by which the free reading is likelier than it, without priors
    agrees          1 where page OCR read the same value
    edits           characters in which the printed form differs from what page OCR read
    sure            mean probability of the free reading's characters
    views           how many views were read
    height          of the line, in pixels
    length          characters of the value
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pydantic import Field as PydanticField
from rapidfuzz.distance import Levenshtein

from ocr_moe.codes.finding import Strip
from ocr_moe.codes.lexicon import SCHOOLS, find_lexicon
from ocr_moe.experts.typed.language import ROOM, Context, Language, Seeker
from ocr_moe.experts.typed.languages import language_of
from ocr_moe.experts.typed.sights import Expected, Sight, sight
from ocr_moe.geometry import distance
from ocr_moe.imaging.linecrops import crop_strip, without_colour
from ocr_moe.protocols import Document, Page, Services
from ocr_moe.reading.candidates import Candidate, PreparedPage, prepare
from ocr_moe.reading.gathering import agreed, gather
from ocr_moe.reading.layout import span_quad
from ocr_moe.schema import Field
from ocr_moe.types import Alternative, Answer, Cost, Line, Reading, Value

REVISION = 4


class TypedParams(Value):
    """Parameters of the typed reader."""

    recognizer: str = "ppocr_fine"
    """The line recogniser whose posteriors are decoded; it has to tell of unlikely characters, too."""
    places: int = PydanticField(default=3, ge=1)
    """How many places of a value are looked at."""
    minimum: float = 0.12
    """Belief below which a candidate's place is not looked at."""
    sure_confidence: float = 0.97
    """Line confidence from which page OCR's reading may stand at first sight."""
    enough_margin: float = 3.0
    """Nats between the best two values from which one view is enough."""
    temper: float = PydanticField(default=0.6, gt=0.0, le=1.0)
    """Exponent on all likelihoods: the recogniser is surer than it is right."""
    beam: int = PydanticField(default=32, ge=1)
    """Width of the search for the likeliest strings."""
    best: int = PydanticField(default=32, ge=1)
    """How many of them are scored: where three characters are doubtful at once, the right ones are
    likeliest together only by their prior."""
    listed: int = PydanticField(default=8, ge=1)
    """How many alternatives are told."""


@dataclass(frozen=True)
class _Span:
    """Characters `start` to `end` of one OCR line."""

    line: int
    start: int
    end: int


@dataclass(frozen=True)
class _Place:
    """Where a value may stand."""

    page: PreparedPage
    candidate: Candidate
    spans: tuple[_Span, ...]
    belief: float
    """That the value stands there (0-1), of all the candidates that are made of these characters."""

    def within(self, other: _Place) -> bool:
        """Whether all its characters belong to another place."""
        return self.page is other.page and all(
            any(o.line == s.line and o.start <= s.start and s.end <= o.end for o in other.spans)
            for s in self.spans
        )

    @property
    def printed(self) -> str:
        """What page OCR read there."""
        return self.candidate.raw

    @property
    def confidence(self) -> float:
        return self.page.layout.confidence(self.candidate.glyphs)

    @property
    def is_written(self) -> bool:
        """Whether the document itself says it: there is nothing that could have been misread."""
        lines = self.page.layout.page.lines
        return all(lines[span.line].exact for span in self.spans)


@dataclass(frozen=True)
class _Word:
    """A string that competed."""

    printed: str
    value: str | None
    """None: it is none of the language."""
    prior: float
    likelihood: float


@dataclass(frozen=True)
class _Seen:
    """A place after it was looked at."""

    place: _Place
    words: tuple[_Word, ...]
    values: tuple[tuple[str, float], ...]
    """(value, normalised natural-log probability), the likeliest first; never empty."""
    sights: tuple[Sight, ...]
    height: float
    looks: float
    """Natural-log belief that its value looks like one of the language."""

    @property
    def winner(self) -> _Word:
        """The likeliest string of the likeliest value."""
        own = [word for word in self.words if word.value == self.values[0][0]]
        return max(own, key=lambda word: word.likelihood + word.prior)

    @property
    def margin(self) -> float:
        return self.values[0][1] - self.values[1][1] if len(self.values) > 1 else _MOST_MARGIN


_MOST_MARGIN = 15.0
"""Nats beyond which more makes nobody surer."""
_NOT_OF_IT = -9.0
"""Natural-log prior of a string that is none of the language."""
_VIEWS = ((0.2, True), (0.06, False))
"""(line heights above and below a line, whether coloured ink stays) of each view, in their order.
Detectors box tightly: with more room the same recogniser sees a little else than page OCR did."""


class TypedExpert:
    """Reads fields that have a language: names of a list, persons, dates, amounts.

    Thread-safe: it keeps no state of a document.
    """

    Params = TypedParams

    def __init__(self, name: str, params: TypedParams, services: Services) -> None:
        self.name = name
        self._params = params
        self._services = services

    @cached_property
    def fingerprint(self) -> str:
        """Behaviour, parameters, recogniser, and the list of schools where it is installed."""
        told = json.dumps(self._params.model_dump(mode="json"), sort_keys=True)
        schools = find_lexicon(SCHOOLS, None)
        parts = [
            told,
            self._services.recognizer(self._params.recognizer).fingerprint,
            schools.digest if schools is not None else "",
        ]
        return f"typed-{REVISION}:{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:16]}"

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        """One reading per asked field. Raises EngineError, DocumentError or ConfigError."""
        texts = [(page, page.text) for page in document.pages]
        began = time.perf_counter()
        lines = tuple(line.text for _, text in texts for line in text.lines)
        languages = {
            field.name: language_of(field, Context(document.schema, lines, field))
            for field in fields
        }
        pages: list[PreparedPage] = []
        if any(language is not None for language in languages.values()):
            pages = [prepare(document.schema, page.number, text) for page, text in texts]
        by_number = {page.number: page for page in document.pages}
        readings = []
        for field in fields:
            language = languages[field.name]
            if language is None:
                readings.append(Reading(field=field.name))
            else:
                readings.append(self._reading(field, language, pages, by_number))
        seconds = round(time.perf_counter() - began, 4)
        return Answer(expert=self.fingerprint, readings=tuple(readings), cost=Cost(seconds=seconds))

    def _reading(
        self,
        field: Field,
        language: Language,
        pages: Sequence[PreparedPage],
        by_number: Mapping[int, Page],
    ) -> Reading:
        places = self._places(gather(field, pages))
        if places and self._known_at_sight(language, places[0]):
            return _first_sight(field, language, places[0])
        seen = self._look_at(language, places, by_number)
        if isinstance(language, Seeker) and not any(_good(language, each) for each in seen):
            sought = [(c, page) for page in pages for c in language.seek(page.part_for(field))]
            others = self._places(sought)
            if others and self._known_at_sight(language, others[0]) and not seen:
                return _first_sight(field, language, others[0])
            others = [place for place in others if not any(map(place.within, places))]
            seen += self._look_at(language, others, by_number)
        if not seen:
            return Reading(field=field.name)
        return self._answer(field, language, _chosen(seen), len(seen))

    def _look_at(
        self, language: Language, places: Sequence[_Place], by_number: Mapping[int, Page]
    ) -> list[_Seen]:
        """The likeliest places, up to one that leaves little doubt."""
        seen: list[_Seen] = []
        for place in places[: self._params.places]:
            looked = self._look(language, place, by_number[place.page.number])
            if looked is not None:
                seen.append(looked)
                if _good(language, looked):
                    break
        return seen

    def _places(self, gathered: Sequence[tuple[Candidate, PreparedPage]]) -> list[_Place]:
        """Distinct places, the likeliest first."""
        found: dict[tuple[int, tuple[_Span, ...]], _Place] = {}
        for candidate, page in sorted(gathered, key=lambda pair: -pair[0].belief):
            if candidate.belief < self._params.minimum:
                break
            spans = _spans(candidate)
            if not spans:
                continue
            known = found.get((page.number, spans))
            belief = candidate.belief
            if known is not None:
                belief = agreed(known.belief, belief)
                candidate = known.candidate
            found[page.number, spans] = _Place(page, candidate, spans, belief)
        return sorted(found.values(), key=lambda place: -place.belief)

    def _known_at_sight(self, language: Language, place: _Place) -> bool:
        if place.is_written:
            return language.meaning(place.printed) is not None
        sure = place.confidence >= self._params.sure_confidence
        return sure and language.familiar(place.printed)

    def _look(self, language: Language, place: _Place, page: Page) -> _Seen | None:
        """What stands at a place, by as many views as it takes."""
        text, fold = place.page.layout.page, place.page.layout.fold
        if any(_on_end(text.lines[span.line], text.width, text.height) for span in place.spans):
            return None
        before = language.before(place.printed)
        cuts = [
            _cut(text.lines[span.line], span, ROOM if index else before)
            for index, span in enumerate(place.spans)
        ]
        expected = [
            Expected(*("".join(map(fold, part)) for part in (e.before, e.span, e.after)))
            for _, e in cuts
        ]
        height = min(distance(s.quad[0], s.quad[3], text.width, text.height) for s, _ in cuts)
        recognizer = self._services.recognizer(self._params.recognizer)
        sights: list[Sight] = []
        seen: _Seen | None = None
        for padding, colour in _VIEWS:
            images = [crop_strip(page.image, strip, padding=padding) for strip, _ in cuts]
            if not colour:
                images = [without_colour(image) for image in images]
            sighted = sight(recognizer.recognize(images), expected, fold)
            if sighted is None:
                continue
            sights.append(sighted)
            seen = self._decoded(language, place, sights, height) or seen
            if seen is not None and seen.margin >= self._params.enough_margin:
                break
        return seen

    def _decoded(
        self, language: Language, place: _Place, sights: Sequence[Sight], height: float
    ) -> _Seen | None:
        """The competition of all strings under all views; None where none is of the language."""
        strings = [place.printed, *(sighted.free for sighted in sights)]
        for sighted in sights:
            strings += [h.code for h in sighted.best(self._params.beam, self._params.best)]
        strings = list(dict.fromkeys(filter(None, strings)))
        strings = list(dict.fromkeys([*strings, *language.proposals(strings)]))
        scores = [_relative(sighted.scores(strings)) for sighted in sights]
        words = []
        for index, printed in enumerate(strings):
            means = [each[index] for each in scores]
            meant = language.meaning(printed)
            value, prior = meant if meant is not None else (None, _NOT_OF_IT)
            likelihood = self._params.temper * sum(means) / len(means)
            likelihood -= language.indel * min(_indels(sighted.free, printed) for sighted in sights)
            words.append(_Word(printed, value, prior, likelihood))
        masses: dict[str | None, list[float]] = {}
        for word in words:
            masses.setdefault(word.value, []).append(word.likelihood + word.prior)
        totals = {value: _log_sum(logs) for value, logs in masses.items()}
        whole = _log_sum(list(totals.values())) if totals else 0.0
        values = [(v, total - whole) for v, total in totals.items() if v is not None]
        values.sort(key=lambda item: (-item[1], item[0]))
        if not values:
            return None
        looks = language.looks(values[0][0]) if isinstance(language, Seeker) else 0.0
        return _Seen(place, tuple(words), tuple(values), tuple(sights), height, looks)

    def _answer(self, field: Field, language: Language, seen: _Seen, places: int) -> Reading:
        winner, place = seen.winner, seen.place
        value, logprob = seen.values[0]
        free = max(seen.words, key=lambda word: word.likelihood)
        agrees = value == place.candidate.value
        features = {
            "first_sight": 0.0,
            "conf": place.confidence,
            "place": place.belief,
            "places": float(places),
            "familiar": float(language.familiar(winner.printed)),
            "prior": winner.prior,
            "looks": seen.looks,
            "margin": min(seen.margin, _MOST_MARGIN),
            "likelihood": max(winner.likelihood / max(len(winner.printed), 1), -20.0),
            "gap": min(free.likelihood - winner.likelihood, 50.0),
            "agrees": float(agrees),
            "edits": float(Levenshtein.distance(winner.printed, place.printed)),
            "sure": max(each.confidence for each in seen.sights),
            "views": float(len(seen.sights)),
            "height": seen.height,
            "length": float(len(value)),
        }
        notes: tuple[str, ...] = ()
        listed = field.lexicon is not None and language.familiar(winner.printed)
        if not agrees:
            notes = (_taken_note(place.candidate.value or place.printed, value, listed),)
        return Reading(
            field=field.name,
            value=value,
            raw=winner.printed,
            score=_score(math.exp(logprob), place.belief, winner.prior + seen.looks),
            alternatives=tuple(
                Alternative(value=v, logprob=round(p, 6))
                for v, p in seen.values[: self._params.listed]
            ),
            characters=_characters(value, seen.values),
            evidence=place.page.layout.evidence(place.candidate.glyphs, place.page.number),
            features={name: round(number, 6) for name, number in features.items()},
            notes=notes,
        )


_BOUND = 20.0
"""The most, in nats, that one view may hold against a string, so that a ruined view abstains."""


def _relative(scores: Sequence[float]) -> list[float]:
    """Log-likelihoods relative to the best, bounded."""
    best = max(scores)
    return [max(each - best, -_BOUND) if best > -math.inf else -_BOUND for each in scores]


def _indels(read: str, printed: str) -> int:
    """Characters put in or left out."""
    return sum(
        max(op.src_end - op.src_start, op.dest_end - op.dest_start)
        for op in Levenshtein.opcodes(read, printed)
        if op.tag in ("insert", "delete")
    )


def _taken_note(read: str, value: str, listed: bool) -> str:
    return f"read as {read}, taken as {value}" + (" (listed)" if listed else "")


def _score(probability: float, belief: float, prior: float) -> float:
    """How sure of a value: that it is what stands there, that it stands in the right place, and how far
    the language expected it. The roots tell how little the latter two say beside the first."""
    return round(probability * math.sqrt(min(belief, 1.0)) * math.exp(0.1 * min(prior, 0.0)), 6)


def _first_sight(field: Field, language: Language, place: _Place) -> Reading:
    meant = language.meaning(place.printed)
    assert meant is not None
    value, prior = meant
    features = {
        "first_sight": 1.0,
        "conf": place.confidence,
        "place": place.belief,
        "places": 0.0,
        "familiar": float(language.familiar(place.printed)),
        "prior": prior,
        "agrees": float(value == place.candidate.value),
        "edits": 0.0,
        "length": float(len(value)),
    }
    return Reading(
        field=field.name,
        value=value,
        raw=place.printed,
        score=_score(place.confidence, place.belief, prior),
        alternatives=(Alternative(value=value, logprob=0.0),),
        characters=(place.confidence,) * len(value),
        evidence=place.page.layout.evidence(place.candidate.glyphs, place.page.number),
        features={name: round(number, 6) for name, number in features.items()},
    )


_GOOD = 1.0
"""Nats between the best two values from which a familiar one ends the search for places."""


def _good(language: Language, seen: _Seen) -> bool:
    return language.familiar(seen.winner.printed) and seen.margin >= _GOOD


_PRIOR_OF_PLACE = 0.05
"""How much a value's prior says of its place: an unlisted name is seldom a reason to look elsewhere,
one that has nothing of a name is."""


def _rank(seen: _Seen) -> float:
    """How far a place is believed after it was read: as a place, and by what stands there."""
    return math.log(seen.place.belief) + _PRIOR_OF_PLACE * (seen.winner.prior + seen.looks)


_AS_GOOD = 0.8
"""Share of a place's belief from which another one is as good a place."""


def _chosen(seen: Sequence[_Seen]) -> _Seen:
    """The most believed place, or one that is as good and reads on where that one's value ends: a
    list that knows a school need not know the college that bears its name."""
    best = max(seen, key=_rank)
    value, belief = best.values[0][0], best.place.belief
    longer = [
        each
        for each in seen
        if each.values[0][0].startswith(value)
        and each.values[0][0] != value
        and each.winner.value == each.place.candidate.value
        and each.place.belief >= _AS_GOOD * belief
    ]
    return max(longer, key=_rank, default=best)


def _spans(candidate: Candidate) -> tuple[_Span, ...]:
    """The stretches of OCR lines that a candidate's characters make up, in their order."""
    spans: list[_Span] = []
    for glyph in candidate.glyphs:
        if spans and spans[-1].line == glyph.line and glyph.offset >= spans[-1].end:
            spans[-1] = _Span(glyph.line, spans[-1].start, glyph.offset + 1)
        elif not (spans and spans[-1].line == glyph.line and glyph.offset == spans[-1].end - 1):
            spans.append(_Span(glyph.line, glyph.offset, glyph.offset + 1))
    return tuple(spans)


_AROUND = 3
"""Characters of the neighbours that a crop shows on either side of a span."""


def _cut(line: Line, span: _Span, before: float) -> tuple[Strip, Expected]:
    """The stretch of a line to be read again, and what page OCR read there; where it begins the line,
    with so many line heights before it."""
    first, last = max(span.start - _AROUND, 0), min(span.end + _AROUND, len(line.text))
    strip = Strip(
        span_quad(line, first, last),
        before if first == 0 else 0.0,
        ROOM if last == len(line.text) else 0.0,
    )
    text = line.text
    return strip, Expected(
        text[first : span.start], text[span.start : span.end], text[span.end : last]
    )


def _on_end(line: Line, width: int, height: int) -> bool:
    """Whether a line runs up or down the page."""
    along = distance(line.quad[0], line.quad[1], width, height)
    return len(line.text) > 1 and distance(line.quad[0], line.quad[3], width, height) > 1.5 * along


def _characters(value: str, values: Sequence[tuple[str, float]]) -> tuple[float, ...]:
    """Probability of each character of the likeliest value: less the mass of those that differ there."""
    against = [max(1.0 - sum(math.exp(p) for _, p in values), 0.0)] * len(value)
    for other, logprob in values[1:]:
        for edit in Levenshtein.editops(value, other):
            against[min(edit.src_pos, len(value) - 1)] += math.exp(logprob)
    return tuple(round(min(max(1.0 - a, 0.0), 1.0), 6) for a in against)


def _log_sum(logs: Sequence[float]) -> float:
    most = max(logs)
    return most + math.log(sum(math.exp(x - most) for x in logs))

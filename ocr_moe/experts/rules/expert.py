"""The `rules` expert: OCR lines, the schema's labels and patterns, and the layout of the page.

No model is asked.  For every field candidates are gathered from four kinds of source, each is
believed as far as its source, its label and its shape allow, and the best one is the reading:

1. `patterns` over the page's running text (the prose of a diploma), `line_patterns` over its rows;
2. labels, with the text beside or under them (see `ocr_moe.reading.forms`);
3. the schema's `fallbacks`: the organisation's line, the last date, an unlabelled line in a column
   of values;
4. for fields that declare none of these, what their kind suggests.

Features of a reading, all present, for calibration:

    conf            lowest confidence of the OCR lines that carry the value
    plausibility    how far the value looks like its kind and fits the field's `shape` (0-1)
    label           quality of the label's match (1 as declared), 0 without a label
    distance        from the label to the value in text heights, at most 20
    pattern         1 - 0.1 · rank of the pattern that matched, 0 without a pattern
    fallback        1 - 0.1 · rank of the fallback, 0 where none was needed
    below, column   1 where the value stands under its label, or in a column without its label
    support         how many sources gave this value
    rivals          how many other values were considered
    margin          belief in the value less belief in the best other value
    snapped         1 where a misread character was forgiven in the words around the value
    length, lines   characters of the value, and rows over which it stands
    trace           1 where the field's label was found, with or without a value, unless its box was seen
                    to be empty
    empty           1 where it was
    clear           1 where the label, as declared, has one short value on its line, read well, and no
                    other was found
    several         1 where labels or patterns give a code or a person's name two values that cannot be
                    one, misread: the page seems to hold several documents
    parses          date: 1 for a full date, 0.5 for a month.  code: 1 where a grammar and its check
                    agree, 0.5 where only a grammar does.  Otherwise 1 where there is a value.

For the figures in brackets behind numbers see `ocr_moe.reading.candidates`.

Where nothing is found the value is None, and `score` is the belief that the field is not on the
page.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import combinations, takewhile

from ocr_moe.errors import DocumentError
from ocr_moe.experts.rules.tables import read_table
from ocr_moe.imaging.blankness import is_blank
from ocr_moe.imaging.rulings import find_rulings
from ocr_moe.protocols import Document, Page, Services
from ocr_moe.reading.candidates import BELIEVED, Candidate, PreparedPage, prepare
from ocr_moe.reading.forms import Label
from ocr_moe.reading.gathering import agreed, gather, stands_unlabelled
from ocr_moe.reading.identity import differs
from ocr_moe.reading.layout import Glyph, PageLayout
from ocr_moe.reading.roundings import rounded_otherwise
from ocr_moe.schema import Field, Kind
from ocr_moe.types import Answer, Box, Cost, Reading, Rulings, Value

REVISION = "8"
"""Changes when the expert, or anything that it stands on, may read differently."""


class RulesParams(Value):
    """Parameters of `RulesExpert`."""

    minimum: float = 0.12
    """Belief below which a candidate is not offered."""


class RulesExpert:
    """Reads fields off the page's OCR lines by labels, patterns and layout; asks no language model."""

    Params = RulesParams

    def __init__(self, name: str, params: RulesParams, services: Services) -> None:
        self.name = name
        self._params = params

    @property
    def fingerprint(self) -> str:
        return f"rules/{REVISION}/{self._params.minimum}"

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        """One reading per field, in the order asked. Raises what reading the page raises."""
        texts = [(page.number, page.text) for page in document.pages]
        began = time.perf_counter()
        pages = [prepare(document.schema, number, text) for number, text in texts]
        shown = {page.number: page for page in document.pages}
        ruled = any(each.kind is Kind.TABLE for each in fields)
        rulings = {page.number: _rulings(shown[page.number], page) for page in pages if ruled}
        readings = tuple(self._reading(each, pages, shown, rulings) for each in fields)
        seconds = round(time.perf_counter() - began, 4)
        return Answer(expert=self.fingerprint, readings=readings, cost=Cost(seconds=seconds))

    def _reading(
        self,
        wanted: Field,
        pages: Sequence[PreparedPage],
        shown: Mapping[int, Page],
        rulings: Mapping[int, Rulings],
    ) -> Reading:
        if wanted.kind is Kind.TABLE:
            return read_table(
                wanted, pages, rulings, lambda page, box: _blank(shown[page.number], box)
            )
        gathered = gather(wanted, pages)
        trace = any(label.name == wanted.name for page in pages for label in page.form.labels)
        offered = [
            (candidate, page)
            for candidate, page in gathered
            if candidate.belief >= self._params.minimum
        ]
        if not offered:
            if trace:
                seen = not wanted.required and _all_empty(wanted, pages, shown)
                why = _EMPTY if seen else _BARE
            elif wanted.required:
                why = _MISSED
            else:
                why = (
                    _STRAY if any(stands_unlabelled(wanted, page) for page in pages) else _NO_TRACE
                )
            return _nothing(wanted, trace, why, [page.layout for page in pages])
        return _best(wanted, offered, trace)


def _rulings(shown: Page, page: PreparedPage) -> Rulings:
    """The ruled lines of a page; none where there are no pixels."""
    try:
        return find_rulings(shown.image, [line.quad for line in page.layout.page.lines])
    except DocumentError:
        return Rulings()


def _blank(shown: Page, box: Box) -> bool | None:
    try:
        return is_blank(shown.image, box)
    except DocumentError:  # there are no pixels
        return None


# Why there is no value, and the belief that the field is not on the page.  On 60 synthetic samples 24 of
# 29 cells without a trace were absent, none of 6 that were not found, and not the one with a bare label;
# the labels of the 80 licences tell of no absence: 1, 5 and 2 such cells were there.
_BARE = ("label found, no value beside it", 0.6)
_EMPTY = ("label found, and nothing is written beside it", 0.97)
"""What pixels tell."""
_NO_TEXT = ("hardly any text was read on the page", 0.05)
_MISSED = ("not found", 0.2)
"""Of a field that every such document has."""
_STRAY = ("a value of its kind stands without a label", 0.2)
"""Of a field that is given beside its label alone: the label may be there, unread."""
_NO_TRACE = ("no trace of it on the page", 0.8)
_HARDLY_ANY = 3
"""Fewer lines than this are hardly any text."""


def _nothing(
    wanted: Field, trace: bool, why: tuple[str, float], layouts: Sequence[PageLayout]
) -> Reading:
    lines = sum(len(layout.page.lines) for layout in layouts)
    note, score = _NO_TEXT if lines < _HARDLY_ANY and not trace else why
    empty = why is _EMPTY
    features = dict.fromkeys(_FEATURES, 0.0)
    features |= {"trace": float(trace and not empty), "empty": float(empty)}
    return Reading(field=wanted.name, score=score, features=features, notes=(note,))


_NARROWEST, _WIDEST = 2.0, 14.0
"""Width of a box that is looked at for a value, in text heights: further away stands another's."""
_AROUND = 0.9
"""How far above and below a label's line a value may stand, in text heights."""


def _all_empty(wanted: Field, pages: Sequence[PreparedPage], shown: Mapping[int, Page]) -> bool:
    """Whether beside each of the field's labels there is nothing but paper."""
    boxes = [
        (shown[page.number], _box_beside(label, page.layout))
        for page in pages
        for label in page.form.labels
        if label.name == wanted.name
    ]
    try:
        return all(box is not None and is_blank(page.image, box) for page, box in boxes)
    except DocumentError:  # there are no pixels
        return False


def _box_beside(label: Label, layout: PageLayout) -> Box | None:
    """The part of the page between a label and what stands next on its line; None where it is narrow."""
    own = set(label.glyphs)
    reach = _AROUND * label.height
    ends = [
        piece.u0
        for piece in layout.pieces
        if piece.u0 > label.u0 and own.isdisjoint(piece.glyphs) and label.rise_to(piece.v) <= reach
    ]
    gap = label.height / 2
    # The colon belongs to the label.
    marks = [
        glyph.u1
        for piece in layout.pieces
        if not own.isdisjoint(piece.glyphs)
        for glyph in takewhile(
            lambda each: not each.char.isalnum(),
            [each for each in piece.glyphs if each.u0 >= label.u1 - gap and each not in own],
        )
    ]
    left, right = (
        max([label.u1, *marks]) + gap,
        min([*ends, label.u1 + _WIDEST * label.height, 1.0]) - gap,
    )
    if right - left < _NARROWEST * label.height:
        return None
    return layout.box((left, label.v - reach), (right, label.foot + reach))


_FEATURES = (
    "conf",
    "plausibility",
    "label",
    "distance",
    "pattern",
    "fallback",
    "below",
    "column",
    "support",
    "rivals",
    "margin",
    "snapped",
    "length",
    "lines",
    "trace",
    "empty",
    "clear",
    "several",
    "parses",
)


_UNREAD = 0.4
"""What is left of the belief in a value that OCR read with no confidence; in between, in proportion.
[twice, 20 wrong cells more are among the surest three quarters]"""
_NOT_FOUND = "the words that tell where {} stands were not found"
_TIED = 0.95
"""Share of the belief in a value without a label from which another one is as likely."""
_AS_LIKELY = "another value is as likely"
_AGAIN = "what tells where the value stands fits another value, too"
_MATCHES = 0.5
"""Share of the belief in a value that its pattern found from which another one that it found counts.
Measured on 60 receipts: of 38 accepted firms 7 had another such line, and 6 of them were wrong."""
_ROUNDED = "the page also gives this sum as {}, rounded"
_GUESS = 0.5
"""The most that is believed of a value that is as likely another: of two without a label, of two that
one pattern finds, of a sum and what it was rounded to, or where the words were not found that tell the
one party's name from the other's."""
_RIVAL = 0.7
"""Share of the belief in the value from which belief in the next best makes it doubtful … [no cell:
it is for the order of confidence alone]"""
_RIVALLED = 0.85
"""… and the factor for it then."""
_FAR = 20.0
"""Largest value of the feature `distance`, in text heights: a scale that calibrations are fitted to."""


def _best(wanted: Field, offered: Sequence[tuple[Candidate, PreparedPage]], trace: bool) -> Reading:
    beliefs: dict[str, float] = {}
    witnesses: dict[tuple[str, Glyph | None, float, bool], float] = {}
    for candidate, _ in offered:
        # The same characters, found twice in the same way, are one witness.
        first = candidate.glyphs[0] if candidate.glyphs else None
        place = (candidate.value, first, candidate.pattern, candidate.label > 0)
        witnesses[place] = max(witnesses.get(place, 0.0), candidate.belief)
    for (each, *_), belief in sorted(witnesses.items(), key=lambda item: -item[1]):
        held = beliefs.get(each, 0.0)
        beliefs[each] = agreed(held, belief) if held else belief
    value = max(beliefs, key=lambda v: beliefs[v])
    if wanted.kind is Kind.ORGANISATION:
        value = _full_name(value, [candidate.value for candidate, _ in offered])
    chosen, page = max(
        ((c, p) for c, p in offered if c.value == value), key=lambda pair: pair[0].belief
    )
    second = max((belief for v, belief in beliefs.items() if v != value), default=0.0)
    confidence = page.layout.confidence(chosen.glyphs)
    score = min(1.0, beliefs[value] * (_UNREAD + (1 - _UNREAD) * confidence))
    if second > _RIVAL * beliefs[value]:
        score *= _RIVALLED
    doubts = () if chosen.placed else (_NOT_FOUND.format(wanted.name),)
    # Of codes the reader of codes knows more than where they stand.
    tied = wanted.kind is not Kind.CODE and second > _TIED * beliefs[value]
    if chosen.fallback and tied:
        doubts = (*doubts, _AS_LIKELY)
    if _found_again(chosen, [candidate for candidate, _ in offered]):
        doubts = (*doubts, _AGAIN)
    if wanted.kind is Kind.MONEY:
        other = rounded_otherwise(page.layout, value)
        if other is not None:
            doubts = (*doubts, _ROUNDED.format(other))
    rows = {round(glyph.v / max(page.layout.height, 1e-6)) for glyph in chosen.glyphs}
    features = {
        "conf": confidence,
        "plausibility": chosen.plausibility,
        "label": chosen.label,
        "distance": min(chosen.distance, _FAR),
        "pattern": chosen.pattern,
        "fallback": chosen.fallback,
        "below": chosen.below,
        "column": chosen.column,
        "support": float(sum(c.value == value for c, _ in offered)),
        "rivals": float(len(beliefs) - 1),
        "margin": beliefs[value] - second,
        "snapped": chosen.snapped,
        "length": float(len(value)),
        "lines": float(len(rows)),
        "trace": float(trace),
        "empty": 0.0,
        "clear": float(len(beliefs) == len(rows) == 1 and _is_clear(chosen, confidence)),
        "several": float(_of_several(wanted, [candidate for candidate, _ in offered])),
        "parses": _parses(wanted, value),
    }
    return Reading(
        field=wanted.name,
        value=value,
        raw=chosen.raw,
        score=round(score, 6),
        ceiling=_GUESS if doubts else 1.0,
        notes=doubts,
        evidence=page.layout.evidence(chosen.glyphs, page.number),
        features={name: round(number, 6) for name, number in features.items()},
    )


def _found_again(chosen: Candidate, offered: Sequence[Candidate]) -> bool:
    """Whether the pattern that alone tells of the value finds another value elsewhere on the page."""
    own = chosen.value.casefold()
    if not chosen.pattern or any(each.label and each.value == chosen.value for each in offered):
        return False
    return any(
        each.pattern == chosen.pattern
        and each.belief >= _MATCHES * chosen.belief
        and each.value.casefold() not in own
        and own not in each.value.casefold()
        for each in offered
    )


# What makes a value beside its label a clear case.
_AS_DECLARED = 0.95
"""Quality of the label."""
_NEXT_TO_IT = (0.3, 8.0)
"""From the label to the value, in text heights: closer, the label may have swallowed a character."""
_READ_WELL = 0.95
"""Confidence of the lines."""
_LOOKS_RIGHT = 0.85
"""Plausibility: that of a Latin text."""
_SHORT = 12
"""Characters up to which a value is short: each one more may be misread …"""
_SHORT_OF_ITS_KIND = 30
"""… and up to which one is that looks just like its kind: a firm's name that ends as such names do."""


def _is_clear(chosen: Candidate, confidence: float) -> bool:
    """Whether nothing makes one doubt a value that has no rival and stands on one line.

    Measured on 40 licences, 40 receipts and 24 invoices with schemas of labels alone.
    """
    nearest, furthest = _NEXT_TO_IT
    return (
        chosen.label >= _AS_DECLARED
        and chosen.placed
        and not (chosen.below or chosen.fallback)
        and nearest <= chosen.distance <= furthest
        and confidence >= _READ_WELL
        and chosen.plausibility >= _LOOKS_RIGHT
        and len(chosen.value) <= (_SHORT if chosen.plausibility < 1.0 else _SHORT_OF_ITS_KIND)
    )


_JUST_LIKE = 0.9
"""Plausibility from which a text looks just like a name: with less, 学习 once was taken for a second one
on 11 of 200 pages of one certificate."""


def _of_several(wanted: Field, offered: Sequence[Candidate]) -> bool:
    """Whether the document seems to be several: it has one number, and one name of its person.

    Of two names found in different ways one is no name: both have a label, or one pattern finds both.
    """
    named = wanted.kind is Kind.PERSON
    if not named and wanted.kind is not Kind.CODE:
        return False
    believed = [
        each
        for each in offered
        if (each.label or each.pattern)
        and each.belief >= BELIEVED
        and (
            each.plausibility >= _JUST_LIKE
            if named
            else any(grammar.matches(each.value) for grammar in wanted.grammars)
        )
    ]
    return any(
        differs(wanted, one.value, other.value)
        and (not named or (one.label > 0, one.pattern) == (other.label > 0, other.pattern))
        for one, other in combinations(believed, 2)
    )


def _full_name(value: str, offered: Sequence[str]) -> str:
    """The longer name that begins with `value`, where several places on the page agree on it."""
    longer = [o for o in offered if o.startswith(value) and o != value and offered.count(o) > 1]
    return max(longer, key=lambda each: (offered.count(each), len(each)), default=value)


def _parses(wanted: Field, value: str) -> float:
    if wanted.kind is Kind.DATE:
        return 1.0 if len(value) == 10 or value in wanted.values else 0.5
    if wanted.kind is Kind.CODE and wanted.grammars:
        matching = [grammar for grammar in wanted.grammars if grammar.matches(value)]
        if any(grammar.checks(value) is not False for grammar in matching):
            return 1.0
        return 0.5 if matching else 0.0
    return 1.0

"""The code reader (kind `codes`): certificate numbers and other fields under a grammar.

Three looks, each only where the one before was not enough:

1. The lines that page OCR read: where label, form and check leave no doubt and every character was
   read surely, that is the answer, at no cost; so it is in a page's own text, where none can be misread.
2. The crop of every likely place, by the configured line recognisers, decoded under the field's
   grammars from the recognisers' own posteriors and fused over recognisers and treatments.
   Where that finds nothing, also two rows below a bare label, lines on end, and lines that page OCR
   found but could not read.
3. Where no place is likely, lines that the detector passed over (`faintlines`), fainter ones where
   the schema expects the code (`places`), then the page again,
   painted over where it was read surely, coloured ink faded, at other scales, by an OCR engine that
   is set to find faint lines. Likewise the rows around a place whose reading stays doubtful: its
   line may have been boxed badly.

Features of a reading: `look` (1-3, which of them answered); of page OCR: `line_confidence`,
`first_agrees` (it read the same), `label` (1 where a label announces it), `alien` (another field's label
stands there), `rivals` (other codes of the form on the page), `place` (score of the place), `year`
(1 the code's year is printed elsewhere on the page, 0 it is not, 0.5 unknown); of the crop:
`height` (line height in pixels), `sharpness`, `colour`; of fusion, see `ocr_moe.codes.fusion`:
`logprob`, `logprob_mean` (per character), `margin`, `margin_character`, `gap`, `gap_mean`, `views`,
`agreement`, `agreement_free`, `check` (1 right, 0 none, -1 wrong) and `vote_<recogniser>`; of what
stands around the code, see `ocr_moe.experts.codes.wholeness`: `cut`, `ink_before`, `ink_after`,
`ink_between`. A code that may lack a character has a ceiling and a note.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache, cached_property
from itertools import chain
from typing import TYPE_CHECKING

from pydantic import Field as PydanticField

from ocr_moe.codes import lookalikes
from ocr_moe.codes.automaton import compiled
from ocr_moe.codes.confidence import ConfidenceModel
from ocr_moe.codes.decoding import (
    Emissions,
    Hypothesis,
    decode,
    free_reading,
    join,
    reduce,
    score,
)
from ocr_moe.codes.finding import (
    CodePlace,
    Findings,
    Strip,
    find_codes,
    read_surely,
    skew_of,
)
from ocr_moe.codes.fusion import Fused, FusionParams, View, fuse
from ocr_moe.codes.grammar import DIGITS, FILLER, CodeGrammar, Segment
from ocr_moe.codes.placing import row_of, spell
from ocr_moe.codes.posterior import OTHER
from ocr_moe.experts.codes.faintlines import faint_lines
from ocr_moe.experts.codes.wholeness import Ends, ends_of
from ocr_moe.folds import fold_label
from ocr_moe.geometry import around, distance
from ocr_moe.imaging.linecrops import (
    colourfulness,
    crop_strip,
    ink_contrast,
    sharpness,
    without_colour,
    without_lines,
)
from ocr_moe.protocols import Document, OcrEngine, Page, Posterior, Services
from ocr_moe.reading.candidates import prepare
from ocr_moe.schema import Field, Schema
from ocr_moe.types import Alternative, Answer, Box, Cost, Evidence, Line, PageText, Reading, Value

if TYPE_CHECKING:
    from PIL import Image

REVISION = 12

_ANY_CODE = CodeGrammar(
    name="any", segments=(Segment(length=6, max_length=30, alphabet="alphanumeric"),)
)
_RUN = re.compile(r"[0-9A-Z](?:[\s\-.·]?[0-9A-Z])*")
_ZONE_BEAM, _ZONE_BEST = 64, 60
"""Width of the search in a machine-readable zone, and how many codes it lists: of 44 characters that may
be counted in several ways there are as many more nearly as likely, and the check digits choose."""
_LEAST_GLANCE = 10
"""Letters and digits that a line must hold at a glance to be read as a long code."""
_YEAR = re.compile(r"(?:19|20)\d{2}")


class Crop(Value):
    """One way to cut and treat the crop of a line."""

    name: str
    """For notes; part of the fingerprint."""
    padding: float
    """Line heights added above and below the detected line; detectors box generously."""
    colour: bool = True
    """False: coloured ink is faded into the paper."""


class UnreadPlace(StrEnum):
    """Where a code may stand though page OCR read none there."""

    BESIDE = "beside"
    """The row of a bare label."""
    ON_END = "on_end"
    """Lines that run up or down the page."""
    UNDER = "under"
    """The two rows under a bare label, at the usual line spacings."""
    UNREAD = "unread"
    """Lines that page OCR found but could not read."""


class CodesParams(Value):
    """Parameters of the code reader."""

    recognizers: tuple[str, ...] = ("ppocr", "specialist")
    """The voters, by name; the first is asked first."""
    unread_places: tuple[UnreadPlace, ...] = tuple(UnreadPlace)
    """Places without a reading of page OCR that are tried while nothing credible was found."""
    faint_lines: int = PydanticField(default=16, ge=0)
    """How many lines that page OCR passed over are tried where no place was found."""
    second_look: str | None = "sensitive"
    """The OCR engine for pages on which no place was found; None: no such look."""
    second_look_sides: tuple[int, ...] = (1000, 1400, 1800)
    """Longest sides of the page, in pixels, at which it looks, one after the other."""
    sure_confidence: float = 0.999
    """Line confidence, a mean over characters, from which page OCR's reading may stand. Of 495 lines
    from 0.995 on, of damaged generated certificates, 2 were wrong; of the 396 from here on none."""
    places: int = PydanticField(default=3, ge=1)
    """How many places are looked at."""
    least_place: float = 0.0
    """Score below which a line of digits is no place of a code."""
    crops: tuple[Crop, ...] = (
        Crop(name="colourless", padding=0.0, colour=False),
        Crop(name="tight", padding=-0.1),
        Crop(name="colourless tight", padding=-0.1, colour=False),
    )
    """The views, in the order in which they are taken until the reading is sure."""
    enough_margin: float = 4.2
    """Nats between the best two codes from which the first view is enough."""
    doubt_margin: float = 1.2
    """Nats between the best two codes below which a place is boxed anew."""
    doubt_beam: int = 96
    """Width of the search there."""
    doubt_best: int = 60
    """Length of the list of alternatives there."""
    closer_look_side: int = 1600
    """Longest side of the page, in pixels, at which that is done."""
    unknown_gap: float = 9.0
    """Nats by which the free reading must beat every grammar to be of no known form."""
    unlabelled_gap: float = 3.0
    """The same where no label says that a code stands there."""
    least_fit: float = -1.5
    """Log-likelihood per character below which a code was not read but made up."""
    least_unlabelled_fit: float = -0.4
    """The same where no label says that a code stands there."""
    neighbour_ink: float = 0.6
    """Unread ink where a further character would stand, in those of the code, from which a reading
    may lack one. Of 58 codes of hard generated certificates that were read from their crops 2 have
    more, of which one was misread; of 14 on clean ones, scans and photographs none has a tenth."""
    gap_ink: float = 0.75
    """The same between two of its characters, where a mark or a rest of a seal may stand."""
    incomplete: float = 0.5
    """The most that is believed of a code that may lack a character."""
    fusion: FusionParams = FusionParams()
    """How the views of one code are pooled."""
    confidence: ConfidenceModel = ConfidenceModel()
    """How sure the reader is of what came of it."""


@dataclass(frozen=True)
class _Seen:
    """A place after it was looked at."""

    page: Page
    place: CodePlace
    views: tuple[View, ...]
    fused: Fused | None
    look: int
    measures: dict[str, float]

    @property
    def free(self) -> str:
        """The longest code-like run that a view reads without a grammar."""
        return max((view.free for view in self.views), key=len, default="")


def _part_for(field: Field, schema: Schema, text: PageText) -> PageText:
    """The lines of a page among which the field's code stands, where its schema says which."""
    if not field.placed and field.occurrence is None:
        return text
    page = prepare(schema, 1, text)
    part = page.layout.part(page.place(field).holds)
    words = {fold_label(form) for form in field.label_forms}
    own, others = set[int](), set[int]()
    for label in page.form.labels:
        if label.name == field.name or label.text in words:
            lines = own if label.name == field.name else others
            lines.update(glyph.line for glyph in label.glyphs)
    kept = own | ({piece.glyphs[0].line for piece in part.pieces} - others)
    return text.model_copy(update={"lines": tuple(text.lines[i] for i in sorted(kept))})


def _announced(found: Findings) -> Findings:
    """Without what no label announces, and without guesses beside a label that stands bare."""
    places = tuple(place for place in found.places if place.label is not None)
    return replace(found, places=places, spots=(), under=(), unread=(), upward=())


class CodesExpert:
    """Reads long codes under their grammars, by the votes of line recognisers over several views.

    Thread-safe: it keeps no state of a document.
    """

    Params = CodesParams

    def __init__(self, name: str, params: CodesParams, services: Services) -> None:
        self.name = name
        self._params = params
        self._services = services

    @cached_property
    def fingerprint(self) -> str:
        """Behaviour, parameters, recognisers and the engine of the second look."""
        told = json.dumps(self._params.model_dump(mode="json"), sort_keys=True)
        parts = [self._services.recognizer(name).fingerprint for name in self._params.recognizers]
        if self._params.second_look is not None:
            parts.append(self._services.engine(self._params.second_look).fingerprint)
        digest = hashlib.sha256("\n".join([told, *parts]).encode()).hexdigest()[:16]
        return f"codes-{REVISION}:{digest}"

    def read(self, document: Document, fields: Sequence[Field]) -> Answer:
        """One reading per asked field. Raises EngineError or DocumentError."""
        started = time.perf_counter()
        readings = tuple(self._read_field(document, field) for field in fields)
        cost = Cost(seconds=round(time.perf_counter() - started, 4))
        return Answer(expert=self.fingerprint, readings=readings, cost=cost)

    def _read_field(self, document: Document, field: Field) -> Reading:
        grammars = field.grammars or (_ANY_CODE,)
        labels = (*field.label_forms, *(x for g in grammars for x in g.labels))
        labels = tuple(dict.fromkeys(labels)) or (field.name,)
        aliens = tuple(
            label
            for other in document.schema.fields
            if other.name != field.name
            for label in (*other.label_forms, other.name)
        )

        def find(text: PageText) -> Findings:
            found = find_codes(_part_for(field, document.schema, text), grammars, labels, aliens)
            return _announced(found) if field.only_labelled else found

        found = [(page, find(page.text)) for page in document.pages]
        places = self._plausible([(p, c) for p, f in found for c in f.places])
        if places and self._sure(*places[0], places[1:], grammars):
            return self._first_sight(field, *places[0])
        seen = self._look_at(places, found, grammars)
        faint = not (field.only_labelled or field.placed)  # of a line that no label announces
        if faint and not any(map(self._credible, seen)):
            seen += [s for page in document.pages for s in self._faint_look(page, field, grammars)]
        if not any(map(self._credible, seen)):
            seen += [s for page in document.pages for s in self._second_look(page, find, grammars)]
        credible = sorted(
            (s for s in seen if self._credible(s)), key=lambda s: _rank(s, seen), reverse=True
        )
        if not credible:
            return self._unknown(field, seen)
        if self._doubtful(credible[0]):
            credible[0] = self._closer_look(credible[0], find, grammars)
            credible[0] = self._listed_at_length(credible[0], grammars)
        return self._answer(field, credible[0], credible[1:])

    def _look_at(
        self,
        places: Sequence[tuple[Page, CodePlace]],
        found: Sequence[tuple[Page, Findings]],
        grammars: Sequence[CodeGrammar],
    ) -> list[_Seen]:
        """The places that page OCR knows of, the less likely ones only while none is credible."""
        most = self._params.places
        spots = [(page, _bare(s.label, *s.strips)) for page, f in found for s in f.spots]
        unread = {
            UnreadPlace.BESIDE: spots[:most],
            UnreadPlace.ON_END: [(p, _bare(None, s)) for p, f in found for s in f.upward[:most]],
            UnreadPlace.UNDER: [
                (p, _bare(s.label, *s.strips)) for p, f in found for s in f.under[:2]
            ],
            UnreadPlace.UNREAD: [(p, _bare(None, s)) for p, f in found for s in f.unread[:most]],
        }

        def tried(*kinds: UnreadPlace) -> list[tuple[Page, CodePlace]]:
            return [x for k in kinds if k in self._params.unread_places for x in unread[k]]

        seen: list[_Seen] = []
        for page, place in (*places[:most], *tried(UnreadPlace.BESIDE)):
            # A bare label, or digits without label or form, only matter while nothing better does.
            weak = place.code is None and (place.label is None or not place.run)
            if not (weak and any(map(self._credible, seen))):
                seen.append(self._look(page, place, grammars, look=2))
        for kinds in ((UnreadPlace.ON_END,), (UnreadPlace.UNDER, UnreadPlace.UNREAD)):
            if not any(map(self._credible, seen)):
                seen += [self._look(*place, grammars, look=2) for place in tried(*kinds)]
        return seen

    def _plausible(self, places: Sequence[tuple[Page, CodePlace]]) -> list[tuple[Page, CodePlace]]:
        likely = [(p, c) for p, c in places if c.score >= self._params.least_place]
        return sorted(likely, key=lambda item: -item[1].score)

    def _sure(
        self,
        page: Page,
        place: CodePlace,
        others: Sequence[tuple[Page, CodePlace]],
        grammars: Sequence[CodeGrammar],
    ) -> bool:
        """Whether page OCR's own reading leaves nothing to look at."""
        if not place.exact or place.alien:
            return False
        if place.written and place.checked and place.grammar is not None and place.grammar.vouches:
            return True
        if place.written:  # pixels know no better, whatever else is like a code
            rivals = [c for _, c in others if c.label is not None or place.label is None]
            return not any(c.code not in (None, place.code) and not c.alien for c in rivals)
        if place.label is None:
            return False
        if place.confidence < self._params.sure_confidence:
            return False
        if any(c.code is not None and c.code != place.code for _, c in others):
            return False
        if place.checked is not None:
            return place.checked
        if _misreads_unnoticed(place.run, grammars) or _ends_at_edge(place, page.text):
            return False
        return _year_support(place, page.text) == 1.0

    def _first_sight(self, field: Field, page: Page, place: CodePlace) -> Reading:
        code = place.code or place.run
        features = _place_features(place, page.text, 1.0) | {
            "first_agrees": 1.0,
            "rivals": 0.0,
            "check": 0.0 if place.checked is None else 1.0 if place.checked else -1.0,
        }
        wrong = f"{field.name}: the check character of {code} is wrong as printed"
        return Reading(
            field=field.name,
            value=code,
            raw=place.text,
            score=self._params.confidence.probability(features),
            alternatives=(Alternative(value=code, logprob=0.0),),
            characters=(place.confidence,) * len(code),
            evidence=_evidence(page, place),
            features=features,
            notes=(wrong,) if place.checked is False else (),
        )

    def _look(
        self,
        page: Page,
        place: CodePlace,
        grammars: Sequence[CodeGrammar],
        look: int,
        *,
        guessed: bool = False,
    ) -> _Seen:
        """Read a place's crops, with as many views as it takes; a place that is but guessed at is given
        up where the first crop shows no code."""
        image = page.image

        @cache
        def cut(padding: float) -> list[Image.Image]:
            return [crop_strip(image, strip, padding=padding) for strip in place.strips]

        plain = cut(self._params.crops[0].padding)[0]
        measures = {
            "height": _line_height(page.text, place.strips[0]),
            "sharpness": sharpness(plain),
            "colour": colourfulness(plain),
        }
        views: list[View] = []
        fused: Fused | None = None
        for crop in self._params.crops:
            images = _treated(cut(crop.padding), crop)
            for recognizer in self._params.recognizers:
                view = self._view(recognizer, crop.name, images, place.strips, grammars)
                if view is None:
                    continue
                views.append(view)
                fused = fuse(views, grammars, self._params.fusion, place.label)
                if self._enough(fused, place, views):
                    return _Seen(page, place, tuple(views), fused, look, measures)
            if guessed and self._hopeless(fused):
                break
        return _Seen(page, place, tuple(views), fused, look, measures)

    def _enough(self, fused: Fused | None, place: CodePlace, views: Sequence[View]) -> bool:
        """Whether further views could hardly change the reading."""
        return (
            fused is not None
            and fused.features["margin"] >= self._params.enough_margin
            and fused.features["gap"] < 0.5
            and fused.checked is not False
            and (place.code == fused.code or len(views) > 1)
        )

    def _hopeless(self, fused: Fused | None) -> bool:
        """Whether what stands there is so unlike a code that no further view makes it one."""
        if fused is None:
            return True
        gap, fit = fused.features["gap"], fused.features["logprob"]
        return gap > 2 * self._params.unknown_gap or fit < 2 * self._params.least_fit

    def _view(
        self,
        recognizer: str,
        crop_name: str,
        crops: Sequence[Image.Image],
        strips: Sequence[Strip],
        grammars: Sequence[CodeGrammar],
    ) -> View | None:
        """None where the recogniser does not know a character that holds the code together."""
        posteriors = self._services.recognizer(recognizer).recognize(crops)
        characters = compiled(grammars).characters
        if FILLER in characters and not all(FILLER in p.alphabet for p in posteriors):
            return None
        parts: list[Emissions] = [reduce(posterior, characters) for posterior in posteriors]
        emissions = join(parts)
        hypotheses = _hypotheses(emissions, grammars, self._params.fusion)
        rows = tuple(map(row_of, strips, posteriors))
        return View(recognizer, crop_name, emissions, free_code(posteriors), hypotheses, rows)

    def _credible(self, seen: _Seen) -> bool:
        """Whether a code was read there, not made up from something else."""
        fused = seen.fused
        if fused is None or seen.place.alien:
            return False
        gap, fit = fused.features["gap"], fused.features["logprob"]
        vouched = bool(fused.checked) and fused.grammar.vouches
        if seen.place.label is not None or seen.place.code is not None or vouched:
            return gap < self._params.unknown_gap and fit > self._params.least_fit
        return gap < self._params.unlabelled_gap and fit > self._params.least_unlabelled_fit

    def _faint_look(self, page: Page, field: Field, grammars: Sequence[CodeGrammar]) -> list[_Seen]:
        """Lines that the page's detector passed over: those that look like a code at a glance."""
        if self._params.faint_lines == 0:
            return []
        least = min(_LEAST_GLANCE, *(grammar.shortest for grammar in grammars))
        known = [line.quad for line in read_surely(page.text)]
        quads = faint_lines(
            page.image, known, skew_of(page.text), self._params.faint_lines, field.places
        )
        crop = self._params.crops[0]
        recognizer = self._services.recognizer(self._params.recognizers[-1])
        likely = []
        for quad in quads:
            strip = Strip(quad, 0.2, 0.2)
            images = _treated([crop_strip(page.image, strip, padding=crop.padding)], crop)
            if len(free_code(recognizer.recognize(images))) >= least:
                likely.append(_bare(None, strip))
        places = likely[: self._params.places]
        return [self._look(page, place, grammars, look=3, guessed=True) for place in places]

    def _second_look(
        self,
        page: Page,
        find: Callable[[PageText], Findings],
        grammars: Sequence[CodeGrammar],
    ) -> list[_Seen]:
        """The page without what was read on it surely, by the sensitive engine."""
        if self._params.second_look is None:
            return []
        engine = self._services.engine(self._params.second_look)
        known = read_surely(page.text)
        rest = without_lines(page.image, [line.quad for line in known])
        seen: list[_Seen] = []
        for side in self._params.second_look_sides:
            again = _reread(page, rest, engine, side)
            text = again.model_copy(update={"lines": (*known, *again.lines)})
            findings = find(text)
            likely = [c for _, c in self._plausible([(page, c) for c in findings.places])][:2]
            spots = (*findings.spots[:1], *findings.under[:2])
            likely += [_bare(spot.label, *spot.strips) for spot in spots]
            for place in likely:
                seen.append(self._look(page, place, grammars, look=3, guessed=True))
                if self._credible(seen[-1]):
                    return seen
        return seen

    def _doubtful(self, seen: _Seen) -> bool:
        """Whether the reading is unsure and not the one of page OCR: its line may be badly boxed."""
        assert seen.fused is not None
        if (
            FILLER in seen.fused.grammar.characters
        ):  # what is unsure there is how many fillers there are
            return False
        unsure = seen.fused.features["margin"] < self._params.doubt_margin
        differs = seen.place.run != seen.fused.code
        return unsure and differs and self._params.second_look is not None

    def _closer_look(
        self, seen: _Seen, find: Callable[[PageText], Findings], grammars: Sequence[CodeGrammar]
    ) -> _Seen:
        """The rows around a doubtful place, boxed anew; its views are added to the old ones."""
        assert self._params.second_look is not None
        engine = self._services.engine(self._params.second_look)
        ys = [y for strip in seen.place.strips for _, y in strip.quad]
        room = 1.5 * seen.measures["height"] / seen.page.text.height
        band = (max(min(ys) - room, 0.0), min(max(ys) + room, 1.0))
        side = self._params.closer_look_side
        text = _reread(seen.page, seen.page.image, engine, side, band)
        for _, place in self._plausible([(seen.page, c) for c in find(text).places]):
            if not _overlap(place, seen.place):
                continue
            again = self._look(seen.page, place, grammars, look=3)
            if again.fused is None:
                break
            views = (*seen.views, *again.views)
            label = seen.place.label or place.label
            fused = fuse(views, grammars, self._params.fusion, label)
            return replace(max(seen, again, key=_fit), views=views, fused=fused)
        return seen

    def _listed_at_length(self, seen: _Seen, grammars: Sequence[CodeGrammar]) -> _Seen:
        """A doubtful reading with more alternatives, among which other fields may choose."""
        assert seen.fused is not None
        wide = self._params.fusion.model_copy(
            update={"beam": self._params.doubt_beam, "best": self._params.doubt_best}
        )
        views = tuple(
            replace(view, hypotheses=_hypotheses(view.emissions, grammars, wide))
            for view in seen.views
        )
        return replace(seen, fused=fuse(views, grammars, wide, seen.place.label))

    def _answer(self, field: Field, best: _Seen, others: Sequence[_Seen]) -> Reading:
        fused = best.fused
        assert fused is not None
        rivals = {
            s.fused.code
            for s in others
            if s.fused is not None
            and s.fused.code != fused.code
            and not (s.page is best.page and _overlap(s.place, best.place))
        }
        features = (
            _place_features(best.place, best.page.text, float(best.look), fused)
            | dict(fused.features)
            | best.measures
            | {
                "first_agrees": float(best.place.run == fused.code),
                "rivals": float(len(rivals)),
            }
        )
        ends = self._ends(best)
        features |= ends.features
        notes = [f"{field.name}: {doubt}" for doubt in self._incomplete(best, ends)]
        whole = not notes
        if fused.checked is False:
            notes.append(f"{field.name}: the check character of {fused.code} is wrong as printed")
        if rivals:
            notes.append(f"{field.name}: also on the page: {', '.join(sorted(rivals))}")
        return Reading(
            field=field.name,
            value=fused.code,
            raw=best.place.text or best.free,
            score=self._params.confidence.probability(features),
            alternatives=tuple(
                Alternative(value=code, logprob=round(logprob, 4)) for code, logprob in fused.codes
            ),
            characters=tuple(round(p, 4) for p in fused.characters),
            evidence=_evidence(best.page, best.place),
            features={name: round(x, 5) for name, x in features.items()},
            notes=tuple(notes),
            ceiling=1.0 if whole else self._params.incomplete,
        )

    def _incomplete(self, seen: _Seen, ends: Ends) -> list[str]:
        """Why the code may be longer than it was read, in words."""
        doubts = []
        assert seen.fused is not None
        first, code = seen.place.code or "", seen.fused.code
        if len(first) > len(code) and code in first:
            doubts.append(f"page OCR reads more characters, {first}")
        if ends.cut:
            doubts.append("the number runs to the edge of the picture, and may be cut off")
        if max(ends.ink_before, ends.ink_after) > self._params.neighbour_ink:
            where = "before its first" if ends.ink_before > ends.ink_after else "after its last"
            doubts.append(f"something unread stands {where} character")
        if ends.ink_between > self._params.gap_ink:
            doubts.append("something unread stands between its characters")
        return doubts

    def _ends(self, seen: _Seen) -> Ends:
        """What stands around the code, as the view shows it that speaks for it most."""
        assert seen.fused is not None
        code = seen.fused.code
        view = max(seen.views, key=lambda view: score(view.emissions, [code])[0])
        return ends_of(seen.page.image, spell(view.emissions, view.rows, code), _faded) or Ends()

    def _unknown(self, field: Field, seen: Sequence[_Seen]) -> Reading:
        """A labelled number of no known form is handed over as it stands; else there is none."""
        labelled = [s for s in seen if s.place.label is not None and not s.place.alien and s.free]
        labelled = [s for s in labelled if len(s.free) >= 5 and any(c.isdigit() for c in s.free)]
        if not labelled:
            return Reading(field=field.name)
        best = max(labelled, key=lambda s: s.place.score)
        return Reading(
            field=field.name,
            value=best.free,
            raw=best.place.text or best.free,
            score=0.05,
            evidence=_evidence(best.page, best.place),
            features=_place_features(best.place, best.page.text, float(best.look)),
            notes=(f"{field.name}: {best.free} is of no known form of this code",),
        )


def _hypotheses(
    emissions: Emissions, grammars: Sequence[CodeGrammar], params: FusionParams
) -> tuple[Hypothesis, ...]:
    checked = FILLER in emissions.characters and any(grammar.check for grammar in grammars)
    beam, best = (
        (max(params.beam, _ZONE_BEAM), _ZONE_BEST) if checked else (params.beam, params.best)
    )
    return tuple(decode(emissions, compiled(grammars), beam=beam, best=best))


def _treated(images: list[Image.Image], crop: Crop) -> list[Image.Image]:
    return images if crop.colour else [_faded(image) for image in images]


def _faded(image: Image.Image) -> Image.Image:
    """Without coloured ink, unless that is what the code is printed in."""
    faded = without_colour(image)
    return faded if ink_contrast(faded) > 0.5 * ink_contrast(image) else image


def _fit(seen: _Seen) -> float:
    """How well the form fits what was read."""
    fused = seen.fused
    assert fused is not None
    fit = max(fused.features["logprob_mean"], -2.0) * 4.0 - min(fused.features["gap"], 10.0)
    return fit + (2.0 if fused.checked else -1.0 if fused.checked is False else 0.0)


def _rank(seen: _Seen, others: Sequence[_Seen]) -> float:
    """Rank of a place after it was read: its fit, and the label and form of all crops of the place."""
    same = [o for o in others if o.page is seen.page and _overlap(o.place, seen.place)]
    return _fit(seen) + max(o.place.score for o in (seen, *same))


def _misreads_unnoticed(code: str, grammars: Sequence[CodeGrammar]) -> bool:
    """Whether page OCR may have taken a letter for a digit, or the reverse, or dropped a digit."""
    twins = (
        code[:at] + twin + code[at + 1 :]
        for at, read in enumerate(code)
        for group in lookalikes.GROUPS
        for twin in group
        if read in group and twin.isalpha() != read.isalpha()
    )
    longer = (code[:at] + digit + code[at:] for at in range(len(code) + 1) for digit in DIGITS)
    return any(grammar.matches(other) for other in chain(twins, longer) for grammar in grammars)


def _ends_at_edge(place: CodePlace, text: PageText) -> bool:
    """Whether a line of the place begins or ends within half its height of the page's edge."""
    for strip in place.strips:
        tl, tr, br, bl = ((x * text.width, y * text.height) for x, y in strip.quad)
        room = 0.5 * _line_height(text, strip)
        along = 0 if abs(tr[0] - tl[0]) > abs(tr[1] - tl[1]) else 1
        size = (text.width, text.height)[along]
        if any(not room <= point[along] <= size - room for point in (tl, tr, br, bl)):
            return True
    return False


def _bare(label: str | None, *strips: Strip) -> CodePlace:
    """A place where page OCR read nothing, or not this way round."""
    return CodePlace(
        run="",
        text="",
        confidence=0.0,
        strips=strips,
        code=None,
        grammar=None,
        checked=None,
        label=label,
        alien=False,
        score=1.0,
        exact=False,
    )


def free_run(text: str) -> str:
    """The longest run of letters and digits that is mostly digits: a code read without a grammar."""
    folded = "".join(c for c in text.upper() if c.isascii() or c == OTHER)
    runs = [re.sub(r"[\s\-.·]", "", m.group()) for m in _RUN.finditer(folded)]
    runs = [run for run in runs if 2 * sum(c.isdigit() for c in run) >= len(run)]
    return max(runs, key=len, default="")


def free_code(posteriors: Sequence[Posterior]) -> str:
    """What stands in a code's lines as they are read without a grammar."""
    return "".join(free_run(free_reading(posterior)[0]) for posterior in posteriors)


def _year_support(place: CodePlace, text: PageText) -> float:
    """1 where the code's year (or its end) is printed elsewhere on the page, 0 where it is not."""
    if place.grammar is None or place.code is None:
        return 0.5
    span = (place.grammar.parse(place.code) or {}).get("year")
    if span is None:
        return 0.5
    year = place.code[slice(*span)]
    elsewhere = " ".join(line.text for line in text.lines if line.text not in place.text)
    written = elsewhere.translate(str.maketrans("〇○零一二三四五六七八九", "000123456789"))
    return float(any(printed.endswith(year) for printed in _YEAR.findall(written)))


def _place_features(
    place: CodePlace, text: PageText, look: float, fused: Fused | None = None
) -> dict[str, float]:
    if fused is not None:
        place = replace(place, code=fused.code, grammar=fused.grammar)
    return {
        "look": look,
        "line_confidence": place.confidence,
        "label": 0.0 if place.label is None else 1.0,
        "alien": float(place.alien),
        "place": place.score,
        "year": _year_support(place, text),
    }


def _overlap(first: CodePlace, second: CodePlace) -> bool:
    """Whether two places stand in the same place."""

    def covered(place: CodePlace) -> Box:
        return around(point for strip in place.strips for point in strip.quad)

    ax0, ay0, ax1, ay1 = covered(first)
    bx0, by0, bx1, by1 = covered(second)
    return min(ax1, bx1) > max(ax0, bx0) and min(ay1, by1) > max(ay0, by0)


def _evidence(page: Page, place: CodePlace) -> Evidence:
    points = (point for strip in place.strips for point in strip.quad)
    box = around((min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)) for x, y in points)
    return Evidence(box=box, text=place.text, page=page.number)


def _line_height(text: PageText, strip: Strip) -> float:
    return distance(strip.quad[0], strip.quad[3], text.width, text.height)


def _reread(
    page: Page,
    image: Image.Image,
    engine: OcrEngine,
    side: int,
    band: tuple[float, float] = (0.0, 1.0),
) -> PageText:
    """A band of `image`, which shows the page, as another engine reads it at another scale.

    Coloured ink is faded; `side` is the longest side of the whole page in pixels.
    """
    from PIL import Image as PillowImage

    upper, lower = int(band[0] * image.height), round(band[1] * image.height)
    cut = image.crop((0, upper, image.width, lower))
    scale = side / max(image.size)
    size = (max(round(cut.width * scale), 8), max(round(cut.height * scale), 8))
    cut = without_colour(cut.resize(size, PillowImage.Resampling.LANCZOS))
    share = (lower - upper) / image.height
    lines = []
    for line in engine.read(cut):
        tl, tr, br, bl = ((x, upper / image.height + y * share) for x, y in line.quad)
        lines.append(Line(text=line.text, confidence=line.confidence, quad=(tl, tr, br, bl)))
    return PageText(
        engine=engine.fingerprint,
        width=image.width,
        height=image.height,
        rotation=page.text.rotation,
        lines=tuple(lines),
    )

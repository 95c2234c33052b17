"""Several documents on one page: where each of them stands, told from the page's lines alone.

A page is cut in two, and each half again, along bands that no line crosses: a recursive X-Y cut
(Nagy and Seth, 1984), but for what justifies a cut.  White space never does, for certificates are full
of it.  Both sides have to be recognised as documents, and both have to say the same things with other
words: two numbers, two names, or most of a schema's fields twice.  The two leaves of one certificate,
or its Chinese and its English page, do not: what they share, they agree on, or only one of them says it.

One document that fills little of its page, a certificate on the bed of a large scanner or in a
screenshot of a chat, has a region of its own as well: there its type is too small to be found by an
engine that looks at the whole page at once.

Pure functions, no pixels: the same page text gives the same regions, so that a replay splits as the
run did.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ocr_moe.folds import fold_label, has_cjk
from ocr_moe.geometry import hull, line_height, pixels_of
from ocr_moe.reading.candidates import BELIEVED, by_label, by_pattern, prepare
from ocr_moe.reading.identity import differs
from ocr_moe.reading.recognition import ENOUGH, recognise, words_of
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.types import Box, PageText, Point, Quad

_SURE = 0.6
"""Confidence below which a line bars no cut: the rims of seals, ornaments."""
_SLOPES = (0.0, 0.035, -0.035, 0.07, -0.07)
"""Slopes at which a page is cut, the level one first: documents lie on a scanner's glass by up to 4°
askew, each in its own way."""
_TWICE = (3, 2.0)
"""Words and labels that both sides of a cut have, and their weight, from which it is looked at."""
_BROKEN = 3
"""Characters of a word that may stand on one line while its others stand on the next."""
_LABEL = 0.5
"""Weight of a label, where a schema names the words of its documents."""
_CODE = re.compile(r"(?<![0-9A-Z])(?=(?:[A-Z]*[0-9]){10})(?=.*[1-9])[0-9A-Z]{13,22}(?![0-9A-Z])")
"""What looks like the number of a document, without a grammar being asked."""
_LOOKED_AT = 3
"""Cuts of a group of lines that are looked at closely: so many of the widest bands, and as many of those
with most words on both sides."""
_SHARED = 3
"""Fields that both sides tell of, where their numbers or names differ …"""
_OWN = 1.0
"""Weight of the words that only one of two kinds has, from which both are on a page."""
_COPIED = 0.5
"""… and the share of a schema's fields where neither does: two copies of one certificate."""
_CHINESE = 0.15
"""Share of Han characters among letters from which a document is Chinese: bilingual ones have a
third, the English page of one has a seal or a school's name."""
_SMALL = 0.5
"""Longest side of a document, by that of its page, up to which it is looked at by itself …"""
_SMALL_TYPE = 0.0125
"""… if the page's type is smaller than this, by the same side: 16 of the 1280 pixels at which a page is
searched for lines. Of 320 pages of one document the smallest type had 0.0153; on scanners' beds and in
screenshots it had 0.008 to 0.0105."""
_MOST = 0.6
"""Share of the weight of a page's words that a document by itself has: chats speak of certificates."""
_MARGIN = 0.5
"""White space around a document's lines that goes with them, by the longer side of their hull: a number
on its other leaf that was not found at first stands there."""
_FILLED = 1 / 3
"""Longer side of a document's lines, by that of the space up to its neighbours, from which all of that
space is its own."""
_NEAR = 0.25
"""Distance from a document's lines, by the height of their hull, up to which others may be of it …"""
_TYPE = 1.6
"""… if their type is up to so many times larger or smaller: a chat's is of another size …"""
_STEPS = 2
"""… and how often those may draw others in."""


def find_regions(text: PageText, schemas: Sequence[Schema]) -> tuple[Box, ...]:
    """Where the documents of a page stand, in fractions of it; in reading order.

    Empty where the page as a whole is the document, which is what nearly all are.  Only documents of
    schemas that are `pages: 1` share a page with others.
    """
    single = tuple(schema for schema in schemas if schema.pages == 1 and len(schema.fields) > 1)
    if not single or not text.lines:
        return ()
    page = _Page(text, single)
    documents = _split(page, page.all)
    aspect = page.aspect
    if len(documents) == 1:
        core = _core(page, page.all)
        if core is None:
            return ()
        others = [text.lines[i].box for i in page.all if i not in core]
        return (_region(page.hull(core), others, aspect),)
    hulls = []
    for lines in documents:
        core = _core(page, lines)
        hulls.append(page.hull(lines if core is None else core))
    regions = [
        _region(box, [other for other in hulls if other is not box], aspect) for box in hulls
    ]
    return tuple(_in_reading_order(regions))


def within(text: PageText, region: Box) -> PageText:
    """A page's lines in a region of it, as if that had been read by itself."""
    x0, y0, x1, y1 = region
    wide, tall = x1 - x0, y1 - y0

    def place(point: Point) -> Point:
        return (
            round(min(max((point[0] - x0) / wide, 0.0), 1.0), 5),
            round(min(max((point[1] - y0) / tall, 0.0), 1.0), 5),
        )

    lines = []
    for line in text.lines:
        box = line.box
        if x0 <= (box[0] + box[2]) / 2 <= x1 and y0 <= (box[1] + box[3]) / 2 <= y1:
            a, b, c, d = line.quad
            quad: Quad = (place(a), place(b), place(c), place(d))
            lines.append(line.model_copy(update={"quad": quad}))
    left, top, right, bottom = pixels_of(region, text.width, text.height)
    return text.model_copy(
        update={
            "lines": tuple(lines),
            "width": right - left,
            "height": bottom - top,
            "region": region,
        }
    )


@dataclass(frozen=True)
class _Told:
    """What some lines of a page say, read as a document of their own."""

    schema: Schema | None
    values: dict[str, str]
    """Field → what a label or a pattern gives it; fallbacks may be anybody's."""
    lines: frozenset[int]
    """The page's lines in which these values stand."""
    chinese: bool
    words: frozenset[str] = frozenset()
    """Words and labels of the schema that stand there, folded."""

    @property
    def is_enough(self) -> bool:
        """Whether they may be all that is seen of a document."""
        return self.schema is not None and len(self.values) >= min(_SHARED, len(self.schema.fields))

    def is_another(self, other: _Told) -> bool:
        """Whether the two are of two documents."""
        if self.schema is None or other.schema is None or not other.is_enough:
            return False
        if self.chinese != other.chinese:  # the translation of a certificate is a page of it
            return False
        if self.schema is not other.schema:
            return (
                self.is_enough and self._has_words_beside(other) and other._has_words_beside(self)
            )
        shared = [field for field in self.schema.fields if self._both(other, field)]
        if len(shared) < min(_SHARED, len(self.schema.fields)):
            return False
        if any(
            field.kind in (Kind.CODE, Kind.PERSON)
            and differs(field, self.values[field.name], other.values[field.name])
            for field in shared
        ):
            return True
        return len(shared) >= _COPIED * len(self.schema.fields)

    def _has_words_beside(self, other: _Told) -> bool:
        """Whether it is known by words that documents of the other's kind do not have themselves: a
        column of a household register has what tells an identity card."""
        if self.schema is None or other.schema is None:
            return False
        others = _vocabulary(other.schema)
        own = (
            weight
            for word, weight in _own_words(self.schema).items()
            if word in self.words and not any(word in each for each in others)
        )
        return sum(own) >= _OWN

    def _both(self, other: _Told, field: Field) -> bool:
        return field.name in self.values and field.name in other.values


class _Page:
    """The lines of a page, by number; what groups of them say is worked out once."""

    def __init__(self, text: PageText, schemas: Sequence[Schema]) -> None:
        self.text = text
        self.schemas = schemas
        self.aspect = text.height / text.width
        self.all = tuple(range(len(text.lines)))
        self.heights = [line_height(line.quad, 1.0, self.aspect) for line in text.lines]
        """In page widths."""
        self.parted: dict[tuple[int, ...], tuple[tuple[int, ...], ...]] = {}
        """Lines → those of each document among them, as far as that was worked out."""
        self._known: dict[tuple[int, ...], _Told] = {}
        folded = [fold_label(line.text) for line in text.lines]
        self._weights = [_vocabulary(schema) for schema in schemas]
        # A word that is broken over two lines is the first one's; \n is in no word.
        ends = [
            f"{line}\n{line[-_BROKEN:]}{following[:_BROKEN]}"
            for line, following in zip(folded, [*folded[1:], ""], strict=True)
        ]
        self._words = [
            [frozenset(word for word in weights if word in line) for line in ends]
            for weights in self._weights
        ]
        """Schema → line → the schema's words and labels in it."""
        self._codes = [frozenset(_CODE.findall(line.upper())) for line in folded]

    def says_twice(self, lines: Sequence[int]) -> bool:
        """Whether lines may be of several documents at all: nearly all pages are done with here."""
        if len({code for i in lines for code in self._codes[i]}) > 1:
            return True
        known = 0
        for k in range(len(self.schemas)):
            counts = Counter(word for i in lines for word in self._words[k][i])
            if self._is_much([word for word, n in counts.items() if n > 1], k):
                return True
            known += self._weight(counts, k) >= ENOUGH
        return known > 1

    def weight_twice(self, before: Sequence[int], after: Sequence[int]) -> float:
        """How much speaks for documents on both sides of a cut, by their words; 0 for nothing."""
        one = [self._words_of(before, k) for k in range(len(self.schemas))]
        other = [self._words_of(after, k) for k in range(len(self.schemas))]
        weights = [
            (self._weight(a, k), self._weight(b, k))
            for k, (a, b) in enumerate(zip(one, other, strict=True))
        ]
        least = [min(pair) for pair in weights]
        first = max(range(len(weights)), key=lambda k: weights[k][0])
        second = max(range(len(weights)), key=lambda k: weights[k][1])
        if first != second and min(weights[first][0], weights[second][1]) >= ENOUGH:
            return min(weights[first][0], weights[second][1])
        twice = any(
            self._is_much(a & b, k) for k, (a, b) in enumerate(zip(one, other, strict=True))
        )
        numbers = [{code for i in side for code in self._codes[i]} for side in (before, after)]
        numbered = all(numbers) and not numbers[0] & numbers[1]
        return max(least) if twice or numbered else 0.0

    def weight(self, lines: Sequence[int]) -> float:
        """Weight of the words of the schema that has most of them in these lines."""
        return max(self._weight(self._words_of(lines, k), k) for k in range(len(self.schemas)))

    def with_words(self, lines: Sequence[int]) -> list[int]:
        return [i for i in lines if any(words[i] for words in self._words)]

    def _words_of(self, lines: Sequence[int], schema: int) -> frozenset[str]:
        return frozenset[str]().union(*(self._words[schema][i] for i in lines))

    def _is_much(self, words: Collection[str], schema: int) -> bool:
        number, weight = _TWICE
        return len(words) >= number and self._weight(words, schema) >= weight

    def _weight(self, words: Iterable[str], schema: int) -> float:
        return sum(self._weights[schema][word] for word in words)

    def hull(self, lines: Sequence[int]) -> Box:
        """Around the lines, without what is hardly a line."""
        boxes = [self.text.lines[i] for i in lines]
        sure = [line.box for line in boxes if line.confidence >= _SURE]
        return hull(sure or [line.box for line in boxes])

    def told(self, lines: Sequence[int]) -> _Told:
        key = tuple(lines)
        if key not in self._known:
            self._known[key] = self._read(key)
        return self._known[key]

    def _read(self, numbers: tuple[int, ...]) -> _Told:
        text = self.text.model_copy(
            update={"lines": tuple(self.text.lines[i] for i in numbers)},
        )
        letters = "".join(line.text for line in text.lines)
        han, latin = sum(map(has_cjk, letters)), sum(c.isascii() and c.isalpha() for c in letters)
        chinese = han >= _CHINESE * (han + latin)
        schema, _ = recognise(text, self.schemas)
        if schema is None:
            return _Told(None, {}, frozenset(), chinese)
        page = prepare(schema, 1, text)
        values: dict[str, str] = {}
        places: set[int] = set()
        for field in schema.fields:
            candidates = [
                each
                for each in (*by_pattern(field, page), *by_label(field, page))
                if each.belief >= BELIEVED
            ]
            if candidates:
                best = max(candidates, key=lambda each: each.belief)
                values[field.name] = best.value
                places |= {numbers[glyph.line] for glyph in best.glyphs}
        words = self._words_of(numbers, next(k for k, s in enumerate(self.schemas) if s is schema))
        return _Told(schema, values, frozenset(places), chinese, words)


_VOCABULARIES: dict[int, tuple[Schema, dict[str, float]]] = {}
"""By the identity of the schema, which is kept with it: its hash would take as long as the work."""
_MOST_VOCABULARIES = 64


def _vocabulary(schema: Schema) -> dict[str, float]:
    """The words and labels of a schema's documents, folded, with their weights."""
    known = _VOCABULARIES.get(id(schema))
    if known is None:
        if len(_VOCABULARIES) >= _MOST_VOCABULARIES:
            _VOCABULARIES.clear()
        known = _VOCABULARIES[id(schema)] = (schema, _folded_words(schema))
    return known[1]


def _folded_words(schema: Schema) -> dict[str, float]:
    labels = {fold_label(label): _LABEL for each in schema.fields for label in each.label_forms}
    words = labels | _own_words(schema)
    return {word: weight for word, weight in words.items() if len(word) > 1}


def _own_words(schema: Schema) -> dict[str, float]:
    return {fold_label(word): weight for word, weight in words_of(schema).items()}


def _split(page: _Page, lines: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """The lines of each document: of all ways to part them the one whose documents tell most."""
    if lines not in page.parted:
        page.parted[lines] = _best_split(page, lines)
    return page.parted[lines]


def _best_split(page: _Page, lines: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    if not page.says_twice(lines):
        return (lines,)
    cuts = [
        (weight, gap, before, after)
        for gap, before, after in _cuts(page, lines)
        if (weight := page.weight_twice(before, after)) > 0.0
    ]
    widest = sorted(cuts, key=lambda cut: -cut[1])[:_LOOKED_AT]
    fullest = sorted(cuts, key=lambda cut: (-cut[0], -cut[1]))[:_LOOKED_AT]
    best: tuple[int, float] | None = None
    documents: tuple[tuple[int, ...], ...] = (lines,)
    for _, gap, before, after in dict.fromkeys((*widest, *fullest)):
        # The shorter side first: of one document, it mostly tells too little.
        one = page.told(min(before, after, key=len))
        if not one.is_enough:
            continue
        other = page.told(max(after, before, key=len))
        if not one.is_another(other):
            continue
        found = (*_split(page, before), *_split(page, after))
        # What each tells beyond the least, so that none is gained by tearing one in two.
        rank = sum(len(page.told(each).values) - _SHARED for each in found), gap
        if best is None or rank > best:
            best, documents = rank, found
    return documents


def _cuts(
    page: _Page, lines: Sequence[int]
) -> Iterator[tuple[float, tuple[int, ...], tuple[int, ...]]]:
    """Every way to part the lines by a band that no sure one crosses: (width of the band in page
    widths, the lines before it, those after)."""
    aspect = page.aspect
    seen: set[tuple[int, ...]] = set()
    for slope in _SLOPES:
        for along in (_down, _right):
            spans = {i: along(page.text.lines[i].quad, slope, aspect) for i in lines}
            sure = sorted(spans[i] for i in lines if page.text.lines[i].confidence >= _SURE)
            reach = -math.inf
            for (_, end), (start, _) in pairwise(sure):
                reach = max(reach, end)
                if start <= reach:
                    continue
                middle = (reach + start) / 2
                before = tuple(i for i in lines if sum(spans[i]) / 2 <= middle)
                if before in seen or len(before) == len(lines):
                    continue
                seen.add(before)
                after = tuple(i for i in lines if sum(spans[i]) / 2 > middle)
                yield start - reach, before, after


_Along = Callable[[Sequence[tuple[float, float]], float, float], tuple[float, float]]


def _down(quad: Sequence[tuple[float, float]], slope: float, aspect: float) -> tuple[float, float]:
    """From where to where a line reaches down the page, in page widths."""
    places = [y * aspect - slope * x for x, y in quad]
    return min(places), max(places)


def _right(quad: Sequence[tuple[float, float]], slope: float, aspect: float) -> tuple[float, float]:
    """The same across the page."""
    places = [x + slope * y * aspect for x, y in quad]
    return min(places), max(places)


def _core(page: _Page, lines: Sequence[int]) -> tuple[int, ...] | None:
    """The lines of a document that has little of the page to itself, or None for a larger one.

    They are those in which its values stand, and others close by: a date without a label, for instance.
    """
    text, aspect = page.text, page.aspect
    whole = len(lines) == len(text.lines)
    side = max(1.0, aspect) if whole else _longer(page.hull(lines), aspect)
    room = _SMALL * side
    small = statistics.median(page.heights[i] for i in lines) < _SMALL_TYPE * side
    spoken = _narrowed(page, lines, room) if small else None
    if spoken is None:
        return None
    told = page.told(spoken)
    if not told.is_enough or len(told.values) < len(page.told(lines).values) - 1:
        return None
    core = set(told.lines)
    for _ in range(_STEPS):
        core |= _nearby(page, core, lines)
    if _longer(page.hull(sorted(core)), aspect) > room:
        return None
    return tuple(i for i in lines if i in core)


def _nearby(page: _Page, core: set[int], lines: Sequence[int]) -> set[int]:
    """The lines close by that may be of the same document: of its type; or with words of a schema, as
    those on its other leaf."""
    text = page.text
    box = page.hull(sorted(core))
    tops = sorted(text.lines[i].box[1] for i in core)
    size = statistics.median(page.heights[i] for i in core)
    gap = max([2 * size / page.aspect, *(b - a for a, b in pairwise(tops))])
    gap = min(gap, _NEAR * (box[3] - box[1]))
    across = gap * page.aspect
    beside = (0.0, box[1] - gap, 1.0, box[3] + gap)
    wide = (box[0] - across, box[1] - gap, box[2] + across, box[3] + gap)
    spoken = set(page.with_words(lines))
    return {
        i
        for i in lines
        if (i in spoken and _overlap(text.lines[i].box, beside))
        or (size / _TYPE <= page.heights[i] <= size * _TYPE and _overlap(text.lines[i].box, wide))
    }


def _narrowed(page: _Page, lines: Sequence[int], room: float) -> tuple[int, ...] | None:
    """The lines from top to bottom among which most of the words stand that schemas know, if those are
    within `room` (page widths) of each other: most by weight, and of as many the fewest lines."""
    boxes = [line.box for line in page.text.lines]
    spoken = sorted(page.with_words(lines), key=lambda i: boxes[i][1])
    best: tuple[float, int] | None = None
    chosen: Sequence[int] = ()
    for start in range(len(spoken)):
        for end in range(start + 1, len(spoken) + 1):
            window = spoken[start:end]
            if _longer(page.hull(window), page.aspect) > room:
                break
            rank = page.weight(window), -len(window)
            if best is None or rank > best:
                best, chosen = rank, window
    if best is None or best[0] < _MOST * page.weight(spoken):
        return None
    top, bottom = boxes[chosen[0]][1], max(boxes[i][3] for i in chosen)
    return tuple(i for i in lines if top <= boxes[i][1] and boxes[i][3] <= bottom)


def _longer(box: Box, aspect: float) -> float:
    """The longer side of a box, in page widths."""
    return max(box[2] - box[0], (box[3] - box[1]) * aspect)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _region(box: Box, others: Sequence[Box], aspect: float) -> Box:
    """The space around a document's lines that is nearer to them than to others: all of it, or where
    they fill little of that, a margin."""
    cell = _nearer(box, others, aspect, math.inf)
    if _longer(box, aspect) < _FILLED * _longer(cell, aspect):
        cell = _nearer(box, others, aspect, _MARGIN * _longer(box, aspect))
    left, top, right, bottom = cell
    return (round(left, 5), round(top, 5), round(right, 5), round(bottom, 5))


def _nearer(box: Box, others: Sequence[Box], aspect: float, margin: float) -> Box:
    """The box with a margin, as far as that is nearer to it than to the others."""
    x0, y0, x1, y1 = box
    left, top = max(0.0, x0 - margin), max(0.0, y0 - margin / aspect)
    right, bottom = min(1.0, x1 + margin), min(1.0, y1 + margin / aspect)
    for other in others:
        # Of the sides on which the other stands apart, the one where it is furthest.
        away = {
            "left": x0 - other[2],
            "right": other[0] - x1,
            "top": (y0 - other[3]) * aspect,
            "bottom": (other[1] - y1) * aspect,
        }
        side = max(away, key=lambda each: away[each])
        free = max(away[side], 0.0) / 2
        if side == "left":
            left = max(left, x0 - free)
        elif side == "right":
            right = min(right, x1 + free)
        elif side == "top":
            top = max(top, y0 - free / aspect)
        else:
            bottom = min(bottom, y1 + free / aspect)
    return left, top, right, bottom


def _in_reading_order(regions: Sequence[Box]) -> list[Box]:
    """Rows from top to bottom, and from left to right within a row."""
    rows: list[list[Box]] = []
    for region in sorted(regions, key=lambda box: box[1] + box[3]):
        if rows:
            last = rows[-1][0]
            level = min(last[3], region[3]) - max(last[1], region[1])
            if level > 0.5 * min(last[3] - last[1], region[3] - region[1]):
                rows[-1].append(region)
                continue
        rows.append([region])
    return [region for row in rows for region in sorted(row)]

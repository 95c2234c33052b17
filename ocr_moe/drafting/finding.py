"""Where on a page verified values stand, and which words announce them.

A value is looked for as its kind allows: dates as dates, amounts as amounts, others by their letters,
with a few of them misread."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from ocr_moe.drafting.columns import Column
from ocr_moe.drafting.labels import LONGEST
from ocr_moe.drafting.printing import Printed, folded, is_wording, wide
from ocr_moe.folds import HAN, fold_print
from ocr_moe.reading.layout import Glyph, Piece
from ocr_moe.schema import Kind
from ocr_moe.values.amounts import parse_amount
from ocr_moe.values.dates import find_dates

_FUZZY_FROM = 5
"""Letters of a value from which it is known with some of them misread …"""
_ALIKE = 80.0
"""… of which so many in a hundred are right."""
_BEGINNING = 6
"""Letters of a long text that may go on over further lines: its beginning tells where it stands."""
_PLACES = 12
"""Places of one value that are looked at on a page."""
_ABOVE = 3.0
"""From a value up to the words over it, in text heights."""
_CONTEXT = 8
"""Characters of running text beside a value."""
_AMOUNT = re.compile(r"\d[\d,]*(?:\.\d+)?")
_RIVAL = 0.3
"""Share of the samples on which other words announce a value that may be its label instead …"""
_RIVALS = 3
"""… of which the likeliest are tried."""
_FOLLOWED = 0.4
"""Share of the samples on which the same word follows a value that is found by it …"""
_HEAD, _HEADS = 2, 12
"""… with this much before it, in that many ways at most."""
_SHARE = 0.08
"""Share of a column's samples on which a label stands that is one of its labels."""


@dataclass(frozen=True)
class Place:
    """Where a value stands: characters of a page's rows."""

    page: Printed
    start: int
    end: int
    text: str
    """As it is printed."""


@dataclass(frozen=True)
class Context:
    """What stands beside a value."""

    words: str
    above: bool = False


def places_of(column: Column, sample: int, pages: Sequence[Printed]) -> list[Place]:
    """Where on a sample's pages a column's verified value may stand."""
    cell = column.cells.get(sample)
    if cell is None or cell.value is None:
        return []
    found: list[Place] = []
    for page in pages:
        if page.sample != sample:
            continue
        lined, (letters, where) = page.lined, page.letters
        spans = list(_spans(column, cell.raw, cell.value, lined.text, letters, where))
        found += [
            Place(page, start, end, lined.text[start:end].replace("\n", "").replace("\t", " "))
            for start, end in spans[:_PLACES]
        ]
    return found


def _spans(
    column: Column, raw: str, value: str, text: str, letters: str, where: Sequence[int]
) -> Iterator[tuple[int, int]]:
    kind = column.guess.kind
    if kind is Kind.DATE:
        dates = find_dates(text.replace("\t", " ").replace("\n", "。"), years=True)
        yield from (
            (span.start, span.end)
            for span in dates
            if span.iso == value or (len(span.iso) > 4 and value.startswith(span.iso))
        )
        return
    if kind in (Kind.MONEY, Kind.NUMBER, Kind.PERCENTAGE) and (amount := parse_amount(raw)):
        seen = False
        for match in _AMOUNT.finditer(text):
            other = parse_amount(match[0])
            if other is not None and other.value == amount.value:
                seen = True
                yield match.span()
        if seen:
            return
    words = [value, raw]
    if kind is Kind.ENUM:
        words += column.guess.values.get(value, ())
    exact = False
    for word in dict.fromkeys(fold_print(word) for word in words):
        at = letters.find(word) if word else -1
        while at >= 0:
            exact = True
            yield _code_whole(kind, text, where[at], where[at + len(word) - 1] + 1)
            at = letters.find(word, at + 1)
    if exact:
        return
    needle = fold_print(value)
    if kind is Kind.ENUM or len(needle) < _FUZZY_FROM:
        return
    found = fuzz.partial_ratio_alignment(needle, letters, score_cutoff=_ALIKE)
    if found is not None and found.dest_end > found.dest_start:
        yield where[found.dest_start], where[found.dest_end - 1] + 1
        return
    if len(needle) > 2 * _BEGINNING:
        at = letters.find(needle[:_BEGINNING])
        if at >= 0:
            yield where[at], where[at + _BEGINNING - 1] + 1


def _code_whole(kind: Kind, text: str, start: int, end: int) -> tuple[int, int]:
    """A code with the zeros before it, which a spreadsheet's number has lost."""
    while kind is Kind.CODE and start > 0 and text[start - 1] == "0":
        start -= 1
    return start, end


def contexts_of(place: Place) -> Iterator[Context]:
    """The words that may announce a value: before it in its box, in the box on its left, or above it."""
    lined = place.page.lined
    glyph = next((g for g in lined.origins[place.start : place.end] if g is not None), None)
    if glyph is None:
        return
    row_start = lined.text.rfind("\n", 0, place.start) + 1
    boxes = lined.text[row_start : place.start].split("\t")
    inside = boxes[-1].strip().rstrip("¥￥$€£RM ").strip()
    letters = "".join(_single(boxes[:-1]))
    if inside:
        yield from _words(letters + inside if letters and len(inside) < 3 else inside)
        if letters:
            yield from _words(letters + inside)
    elif len(boxes) > 1:
        if len(letters) > 1:
            yield from _words(letters)
        yield from _words(boxes[-2])
    if not inside or not is_wording(inside):
        above = _above(place.page, glyph)
        if above is not None:
            yield from (Context(each.words, True) for each in _words(above.text))


def _single(boxes: Sequence[str]) -> Iterator[str]:
    """The letters at the end of a row's boxes that stand in boxes of their own."""
    run: list[str] = []
    for text in reversed([box.strip(" :") for box in boxes]):
        if len(text) != 1 or not HAN.match(text):
            break
        run.insert(0, text)
    yield from run


def _words(text: str) -> Iterator[Context]:
    """A text before a value as a label, and its last part where it is longer."""
    text = text.strip().rstrip(" :.，,;、|(¥$￥").strip()
    parts = re.split(r"[\s:;,。、|)]", text)
    first = parts[:1] if text.isascii() else []
    for words in dict.fromkeys((text, parts[-1], *first)):
        if is_wording(words) and 1.0 < wide(words) <= LONGEST:
            yield Context(words)


def _above(page: Printed, glyph: Glyph) -> Piece | None:
    """The box over a value, nearest to it."""
    best: Piece | None = None
    for piece in page.layout.pieces:
        rise = glyph.v - piece.v
        if not 0.6 * glyph.height < rise <= _ABOVE * glyph.height:
            continue
        if piece.u0 - glyph.height <= glyph.u0 <= piece.u1 and (best is None or piece.v > best.v):
            best = piece
    return best


@dataclass(frozen=True)
class Announced:
    """What was found of a column on the samples."""

    labels: tuple[str, ...]
    found: frozenset[int]
    """Samples on which its value stands."""
    verified: int
    """Samples of which a value is verified."""
    printed: tuple[str, ...]
    """The values as they are printed."""
    places: Mapping[int, Place]
    """Sample → the likeliest place of its value."""
    rivals: tuple[str, ...] = ()
    """Other words that stand before or above many of the values."""


def announced(column: Column, pages: Sequence[Printed]) -> Announced:
    """The labels of a column, from where its values stand."""
    by_sample = {
        sample: places for sample in column.cells if (places := places_of(column, sample, pages))
    }
    verified = sum(cell.value is not None for cell in column.cells.values())
    contexts: dict[tuple[str, bool], dict[int, Place]] = defaultdict(dict)
    printed_as: dict[str, Counter[str]] = defaultdict(Counter)
    for sample, places in by_sample.items():
        for place in places:
            for context in contexts_of(place):
                key = folded(context.words)
                contexts[key, context.above].setdefault(sample, place)
                printed_as[key][context.words] += 1
    least = max(2 if len(by_sample) > 2 else 1, _SHARE * len(by_sample))
    left = dict(by_sample)
    chosen: list[str] = []
    at: dict[int, Place] = {}
    while left:
        # What stands beside a value is believed before what stands above.
        ranked = [
            (len(where.keys() & left.keys()) * (0.7 if above else 1.0), len(key), key, above)
            for (key, above), where in contexts.items()
        ]
        count, _, key, above = max(ranked, default=(0.0, 0, "", False))
        if count < least * (0.7 if above else 1.0):
            break
        chosen.append(printed_as[key].most_common(1)[0][0])
        reached = contexts.pop((key, above))
        at |= {sample: place for sample, place in reached.items() if sample in left}
        left = {sample: places for sample, places in left.items() if sample not in reached}
    for sample, places in left.items():
        at.setdefault(sample, places[0])
    return Announced(
        labels=tuple(_without_extended(dict.fromkeys(chosen))),
        found=frozenset(by_sample),
        verified=verified,
        printed=tuple(at[sample].text for sample in sorted(at)),
        places=at,
        rivals=tuple(_rivals(contexts, printed_as, by_sample, chosen)),
    )


def _rivals(
    contexts: Mapping[tuple[str, bool], Mapping[int, Place]],
    printed_as: Mapping[str, Counter[str]],
    by_sample: Mapping[int, Sequence[Place]],
    chosen: Sequence[str],
) -> Iterator[str]:
    own = set(map(folded, chosen))
    ranked = sorted(((len(where), key) for (key, _), where in contexts.items()), reverse=True)
    often = [key for count, key in ranked if count >= _RIVAL * len(by_sample) and key not in own]
    for key in list(dict.fromkeys(often))[:_RIVALS]:
        yield printed_as[key].most_common(1)[0][0]


def _without_extended(labels: Mapping[str, None]) -> Iterator[str]:
    """Without labels that end like another one: that is found in them."""
    for label in labels:
        if not any(other != label and folded(label).endswith(folded(other)) for other in labels):
            yield label


_BODIES: Mapping[Kind, str] = {
    Kind.PERSON: r"[\u3400-\u9fff·]{2,8}?",
    Kind.DATE: r"[^,;。()]{4,24}?",
    Kind.CODE: r"[0-9A-Za-z\-]+",
}
_DATE_BODY = r"[\d〇○零一二三四五六七八九十]{2,4}年[^,;。()]{2,14}?"
"""A date needs no words before it."""
_BODY = r"[^,;。]{1,40}?"
_OPEN_END = r"(?=[,;。\s]|$)"


def patterns_of(found: Announced, kind: Kind) -> tuple[str, ...]:
    """Regular expressions over running text for values in sentences: the words before and after them."""
    before: Counter[str] = Counter()
    after: dict[str, Counter[str]] = defaultdict(Counter)
    seen: dict[str, set[int]] = defaultdict(set)
    for sample, place in found.places.items():
        running, start, end = _in_running(place)
        if start < 0:
            continue
        left = running[max(start - _CONTEXT, 0) : start].rstrip(" ")
        right = running[end : end + 2].strip()
        for length in range(1, len(left) + 1):
            head = left[-length:]
            if re.search(r"\d", head):
                break
            seen[head].add(sample)
            if right and not right[0].isdigit():
                after[head][right if HAN.match(right[0]) else right[0]] += 1
    for head, where in seen.items():
        before[head] = len(where)
    least = max(2, 0.15 * len(found.places))
    left_over = set(found.places)
    patterns: list[str] = []
    while left_over and len(patterns) < 4:
        ranked = [
            (len(where & left_over) * min(len(head), 4) ** 0.5, len(head), head)
            for head, where in seen.items()
            if len(where & left_over) >= least and re.search(r"[^\W\d]", head)
        ]
        if not ranked:
            break
        head = max(ranked)[2]
        left_over -= seen[head]
        ends = [word for word, count in after[head].most_common(6) if count >= 0.1 * before[head]]
        tail = f"(?={'|'.join(map(re.escape, ends))})" if ends else _OPEN_END
        body = _BODIES.get(kind, _BODY)
        patterns.append(
            rf"{re.escape(head)}\s?:?\s?(?P<value>{body}){'' if kind is Kind.CODE else tail}"
        )
    return tuple(patterns)


def patterns_before(found: Announced, kind: Kind) -> tuple[str, ...]:
    """The same for values that one word follows on many samples, whatever stands before them: X专业,
    X生."""
    heads: dict[str, Counter[str]] = defaultdict(Counter)
    for place in found.places.values():
        running, start, end = _in_running(place)
        right = running[end : end + 2].strip()
        if start < 0 or not right or not HAN.match(right[0]):
            continue
        for word in dict.fromkeys((right[:1], right)):
            heads[word][running[max(start - _HEAD, 0) : start].strip()] += 1
    ranked = sorted(
        ((counted.total(), len(word), word) for word, counted in heads.items()), reverse=True
    )
    if not ranked or ranked[0][0] < _FOLLOWED * len(found.places):
        return ()
    best = ranked[0][0]
    _, _, word = max((len(word), total, word) for total, _, word in ranked if total >= 0.8 * best)
    if kind is Kind.DATE:
        return (rf"(?P<value>{_DATE_BODY})\s?(?={re.escape(word)})",)
    # On one sample alone they may be a name, which is nobody's business.
    before = [head for head, count in heads[word].most_common(_HEADS) if head and count > 1]
    known = "|".join(re.escape(head) for head in before if not re.search(r"\d", head))
    body = _BODIES.get(kind, _BODY)
    return (rf"(?:{known})\s?:?\s?(?P<value>{body})(?={re.escape(word)})",) if known else ()


def _in_running(place: Place) -> tuple[str, int, int]:
    """Where a place stands in its page's running text; -1 where it does not."""
    glyphs = place.page.lined.glyphs(place.start, place.end)
    running = place.page.running
    index = {glyph: at for at, glyph in enumerate(running.origins) if glyph is not None}
    if not glyphs or glyphs[0] not in index or glyphs[-1] not in index:
        return running.text, -1, -1
    return running.text, index[glyphs[0]], index[glyphs[-1]] + 1

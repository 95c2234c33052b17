"""The labels of a form, learnt from samples: words that come again, with values beside or below them
that differ.

What comes again is gathered from boxes (whole ones, what stands before a colon, what many of them begin
with, letters that are spaced out); `ocr_moe.reading.forms` then says what stands beside each, exactly
as it does when documents are read.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rapidfuzz.distance import Levenshtein

from ocr_moe.drafting.kinds import guess_of
from ocr_moe.drafting.printing import (
    LETTER,
    Printed,
    enough,
    folded,
    is_wording,
    wide,
)
from ocr_moe.folds import HAN
from ocr_moe.reading.forms import SURE, Block, Label, read_form
from ocr_moe.reading.layout import Piece, Row
from ocr_moe.schema import Kind
from ocr_moe.types import Line

LONGEST = 24
"""Characters of a label at most, Latin letters by half."""
_SHORTEST = 2
_ANNOUNCED = re.compile(r"([^:;,。，;\t]{1,40}?)\s*:")
"""What stands before a colon."""
_BEGINNINGS = 10
"""Characters of a box's beginning that are looked at as a label that is glued to its value."""
_BRANCHES = 0.45
"""Share of a beginning's samples on which its likeliest longer one stands at most: values differ
there."""
_FEWEST_GLUED = 3
"""Samples on which a beginning stands at least that never stood alone."""
_LETTER_GAP = 6.0
"""Between the letters of a label that is spaced out, in text heights."""
_VALUED = 0.5
"""Share of its samples on which a label has a value …"""
_LEFT_OF = 0.5
"""… and share of a text's places at which one label stands on its left, so that it is that one's
value."""
_TITLE = 1.6
"""Times the height of the text from which print is a heading and no label."""
_CONSTANT = 0.8
"""Share of the samples on which a label's value is the same, from which it is a part of the form."""
_CANDIDATE = 0.15
"""Share of the samples on which a text stands by itself that may be a label."""
_LAST_LETTERS = "称名型所址期本人者围关额量价率数位目号码间限式类别"
"""With which labels end, and values seldom begin."""
_NO_BEGINNING = ("*", "#", "(", "[")
_NO_LABEL = re.compile(r"https?|www|^no$|^[*#]|[。!?]$")
"""What announces nothing."""
_SEVERAL = 0.6
"""Share of its samples on which the same words stand several times, as often, from which they are
several labels …"""
_MOST_ALIKE = 4
"""… of which there are no more: else they are headings, or rows of a table."""
_FIELDS = 40
"""Fields of a draft at most."""
_DOWN = 1.5
"""How many times higher than wide a text is that runs down the page."""
_ON = 0.4
"""Share of the places of Latin words at which more words follow, from which they are none by
themselves."""
_NEAR = 14.0
"""Between a label and its value, in text heights."""
_BESIDE = 2.0
"""Between the two languages of a label, in text heights: beside each other …"""
_UNDER = 2.1
"""… or one below the other, as the lines of a label are …"""
_ALIGNED = 1.5
"""… with left edges that are no further apart."""
_TOGETHER = 0.6
"""Share of a text's samples on which it stands so."""


_TELLING = (Kind.DATE, Kind.MONEY, Kind.CODE, Kind.TIME, Kind.PERCENTAGE)


@dataclass(frozen=True)
class Found:
    """A label on the samples, with what stands beside it."""

    label: str
    """As it is mostly printed; in two languages with ` / ` between them."""
    samples: frozenset[int]
    """On which it was found."""
    values: tuple[tuple[int, str], ...]
    """(sample, value) of each place where it has one."""
    occurrence: int | None = None
    """Which of several labels of these words it is."""
    section: str = ""
    """What runs down the page beside it, where that tells it from others of these words."""
    u: float = 0.0
    v: float = 0.0

    @property
    def texts(self) -> list[str]:
        return [value for _, value in self.values]

    @property
    def valued(self) -> frozenset[int]:
        return frozenset(sample for sample, _ in self.values)


@dataclass
class _Candidate:
    """A text that comes again."""

    printed: Counter[str] = field(default_factory=Counter)
    samples: set[int] = field(default_factory=set)
    alone: set[int] = field(default_factory=set)
    """Samples on which it was a whole box, or stood before a colon."""
    colon: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Labels:
    """What was learnt: labels with values, and words that only end other values."""

    fields: tuple[Found, ...]
    others: tuple[str, ...]


def learnt(pages: Sequence[Printed], samples: int) -> Labels:
    """The labels on these pages of so many samples."""
    candidates = _candidates(pages, samples)
    names = {key: _as_printed(each) for key, each in candidates.items()}
    joined = _joined(candidates, names, pages)
    spots = _spots(joined, pages)
    announced = {
        each.label: any(
            len(candidates[key].colon) >= 0.5 * len(candidates[key].samples) for key in each.keys
        )
        for each in joined
    }
    if values := _values_of_others(spots, announced):
        joined = [each for each in joined if each.label not in values]
        spots = _spots(joined, pages)
    whole = [_Words(_completed(each.label, spots[each.label]), each.keys) for each in joined]
    if whole != joined:
        spots = _spots(whole, pages)
    found = [
        each
        for label, places in spots.items()
        if not _goes_on(places)
        for each in _found(label, places)
        if len(each.samples) >= enough(samples)
    ]
    fields: list[Found] = []
    others: list[Found] = []
    for each in sorted(found, key=lambda each: (each.v, each.u)):
        (fields if _is_field(each, samples) else others).append(each)
    fields = fields[:_FIELDS]
    taken = {each.label for each in fields}
    return Labels(
        tuple(fields), tuple(dict.fromkeys(o.label for o in others if o.label not in taken))
    )


def _is_field(found: Found, samples: int) -> bool:
    valued = found.valued
    if not valued or len(valued) < _VALUED * len(found.samples):
        return False
    if samples == 1:
        return True
    texts = Counter(folded(text) for text in found.texts)
    most = texts.most_common(1)[0][1]
    if len(texts) > 1 and not (len(valued) > 2 and most > _CONSTANT * len(found.values)):
        return True
    # Of a day, or of one machine: a date is a value though all samples have the same.
    return guess_of(found.texts, found.label).kind in _TELLING


def _candidates(pages: Sequence[Printed], samples: int) -> dict[str, _Candidate]:
    """Folded text → what is known of it, of texts that may be labels."""
    known: dict[str, _Candidate] = defaultdict(_Candidate)
    beginnings: dict[str, set[int]] = defaultdict(set)
    torn: set[str] = set()
    """Last letters of labels with their values, whose first letters stand in boxes of their own."""
    for page in pages:
        for row in page.layout.rows:
            plain = tuple(piece for piece in row if not _is_apart(piece, page))
            for text, piece, colon in _openings(plain):
                _add(known, text, page, piece, colon=colon)
            for text in _beginnings(plain):
                beginnings[text].add(page.sample)
            torn |= {folded(b.text) for a, b in pairwise(plain) if _is_letter(a)}
    least = _candidate_from(samples)
    for text, where in beginnings.items():
        if len(where) < least or not is_wording(text):
            continue
        longer = max(
            (
                len(other & where)
                for head, other in beginnings.items()
                if len(head) == len(text) + 1 and head.startswith(text)
            ),
            default=0,
        )
        whole = known.get(folded(text))
        if whole is None and len(where) < max(_FEWEST_GLUED, least):
            continue
        if longer > _BRANCHES * len(where):
            continue
        each = known[folded(text)]
        each.samples |= where
        each.printed[text] += len(where)
    only_one = samples == 1
    kept = {
        key: each
        for key, each in known.items()
        if len(each.samples) >= least
        and (each.colon or not only_one)
        and not any(text.startswith(key) for text in torn)
        and _is_label(key)
    }
    return _without_misread(_without_longer(kept))


def _candidate_from(samples: int) -> int:
    """On how many samples a text stands by itself that may be a label: where it is glued to its value or
    misread, the reader of forms finds it on more."""
    return 1 if samples == 1 else max(2, math.ceil(_CANDIDATE * samples))


def _is_apart(piece: Piece, page: Printed) -> bool:
    """Whether it is set in larger type, or one letter of a text that runs down the page."""
    line = page.text.lines[piece.glyphs[0].line]
    down = len(piece.glyphs) == 1 < len(line.text.strip())
    # Of one letter alone the height of its box says little.
    return down or (len(piece.glyphs) > 2 and piece.height > _TITLE * page.layout.height)


def _add(
    known: dict[str, _Candidate], text: str, page: Printed, piece: Piece, *, colon: bool
) -> None:
    key = folded(text)
    if not key or not is_wording(key) or text.lstrip().startswith(_NO_BEGINNING):
        return
    each = known[key]
    each.printed[text.strip(" :")] += 1
    each.samples.add(page.sample)
    each.alone.add(page.sample)
    if colon:
        each.colon.add(page.sample)


def _openings(row: Row) -> Iterator[tuple[str, Piece, bool]]:
    """(text, box, whether a colon follows) of what may be a label by itself."""
    for at, piece in enumerate(row):
        text = piece.text.strip()
        if at and _is_letter(row[at - 1]):
            continue
        ends = 0
        for match in _ANNOUNCED.finditer(text):
            head = text[ends : match.end() - 1] if ends == 0 else match[1]
            ends = match.end()
            yield _last_words(head.strip()) if ends != match.end() else head.strip(), piece, True
        if not ends:
            yield text, piece, False
            before_figure = re.match(r"([^\d:]{2,30}?)[\s.]*(?:RM|[$€£¥])?\s*[-+]?\d", text)
            if before_figure and not HAN.search(before_figure[1]):
                yield before_figure[1], piece, False
    yield from ((text, piece, colon) for text, piece, colon in _spaced_out(row))


def _last_words(text: str) -> str:
    """What of a text before a colon is its label, where a value stands before it in the box."""
    return re.split(r"[\s;,、。]", text)[-1]


def _spaced_out(row: Row) -> Iterator[tuple[str, Piece, bool]]:
    """Labels whose letters stand in boxes of their own."""
    run: list[Piece] = []
    for piece in row:
        letters = piece.text.split(":")[0].strip()
        colon = ":" in piece.text
        near = bool(run) and (
            piece.u0 - run[-1].u1 <= _LETTER_GAP * max(piece.height, run[-1].height)
        )
        short = 0 < len(letters) <= 2 and HAN.search(letters) is not None
        run = [*(run if near else []), piece] if short else []
        if len(run) > 1:
            yield "".join(each.text.split(":")[0].strip() for each in run), run[0], colon
        if colon:
            run = []


def _beginnings(row: Row) -> Iterator[str]:
    """What boxes of a row begin with, and letters with what the next box begins with."""
    for at, piece in enumerate(row):
        if at and _is_letter(row[at - 1]):
            yield from _heads(row[at - 1].text + piece.text)
        else:
            yield from _heads(piece.text)


def _is_letter(piece: Piece) -> bool:
    """Whether it is one character, which may be the first of a label that is spaced out."""
    return len(piece.glyphs) == 1 and HAN.match(piece.text) is not None


def _heads(text: str) -> Iterator[str]:
    """What a box of Chinese begins with, in lengths that a label may have."""
    text = text.replace(" ", "")
    if text.startswith(_NO_BEGINNING):
        return
    for end in range(_SHORTEST, min(_BEGINNINGS, len(text) - 1) + 1):
        if not HAN.match(text[end - 1]):
            return
        yield text[:end]


def _is_label(key: str) -> bool:
    if not 1.0 <= wide(key) <= LONGEST or len(key) < _SHORTEST:
        return False
    if _NO_LABEL.search(key) or key.count("(") != key.count(")"):
        return False
    return bool(HAN.search(key)) or len(key) > 2


def _without_longer(known: Mapping[str, _Candidate]) -> dict[str, _Candidate]:
    """Without texts that are a shorter label and the beginning of its value."""
    kept = dict(known)
    for key, each in known.items():
        for shorter, other in known.items():
            if (
                shorter != key
                and key.startswith(shorter)
                and not each.alone
                and len(other.alone) > len(each.alone)
            ):
                kept.pop(key, None)
    # What hardly a box ever was, and is itself the beginning of labels that boxes are.
    for key, each in known.items():
        longer = [
            one.samples for other, one in known.items() if other != key and other.startswith(key)
        ]
        covered = set().union(*longer) & each.samples
        if len(each.alone) < 0.5 * len(each.samples) and len(covered) >= 0.5 * len(each.samples):
            kept.pop(key, None)
    return kept


def _without_misread(known: Mapping[str, _Candidate]) -> dict[str, _Candidate]:
    """Without texts that are another one with a letter misread."""
    kept: dict[str, _Candidate] = {}
    for key, each in sorted(known.items(), key=lambda item: -len(item[1].samples)):
        twin = next(
            (
                other
                for other in kept
                if len(key) >= 4
                and abs(len(other) - len(key)) <= 1
                and Levenshtein.distance(other, key, score_cutoff=1) <= 1
                and len(kept[other].samples & each.samples) <= 0.2 * len(each.samples)
            ),
            None,
        )
        if twin is None:
            kept[key] = each
        else:
            kept[twin].samples |= each.samples
    return kept


def _completed(label: str, places: Sequence[_Spot]) -> str:
    """A Chinese label with its last letter, where nearly all values seem to begin with that."""
    firsts = Counter(
        text[0] for _, _, block in places if block is not None and (text := _text_of(block))
    )
    if not firsts:
        return label
    letter, count = firsts.most_common(1)[0]
    if letter in _LAST_LETTERS and count >= _CONSTANT * firsts.total() and HAN.match(label[-1]):
        return label + letter
    return label


def _values_of_others(spots: _Spots, known: Mapping[str, bool]) -> set[str]:
    """Labels that are values of others: they mostly stand right of another label with nothing between.

    `known` says of each whether a colon follows it."""
    beside: dict[str, Counter[str]] = defaultdict(Counter)
    on_page: dict[int, list[Label]] = defaultdict(list)
    for places in spots.values():
        for page, label, _ in places:
            on_page[id(page)].append(label)
    for labels in on_page.values():
        for label in labels:
            for other in labels:
                gap = label.u0 - other.u1
                level = abs(label.v - other.v) <= 0.6 * max(label.height, other.height)
                if (
                    other is not label
                    and level
                    and -0.5 * label.height <= gap <= _NEAR * label.height
                ):
                    assert label.name is not None
                    assert other.name is not None
                    beside[label.name][other.name] += 1
    return {
        text
        for text, lefts in beside.items()
        if not known[text]
        and lefts.most_common(1)[0][1] >= _LEFT_OF * len(spots[text])
        and not beside.get(lefts.most_common(1)[0][0], Counter())[text]
    }


def _as_printed(each: _Candidate) -> str:
    """The commonest way to print it."""
    return each.printed.most_common(1)[0][0].strip(" :.、，,;")


_Spot = tuple[Printed, Label, Block | None]
_Spots = dict[str, list[_Spot]]


@dataclass(frozen=True)
class _Words:
    """A label as it will be declared, with the candidates that it is made of."""

    label: str
    keys: tuple[str, ...]


def _joined(
    known: Mapping[str, _Candidate], names: Mapping[str, str], pages: Sequence[Printed]
) -> list[_Words]:
    """Labels, with those made one that are one in two languages, or on two lines."""
    beside: dict[tuple[str, str], set[int]] = defaultdict(set)
    under: dict[tuple[str, str], set[int]] = defaultdict(set)
    valued: dict[str, set[int]] = defaultdict(set)
    for page in pages:
        spots = [
            (folded(piece.text), piece, row)
            for row in page.layout.rows
            for piece in row
            if folded(piece.text) in known
        ]
        for key, piece, row in spots:
            at = row.index(piece)
            if at + 1 < len(row):
                valued[key].add(page.sample)
            for other, lower, _ in spots:
                if other == key:
                    continue
                size = max(piece.height, lower.height)
                drop = lower.v - piece.v
                if abs(drop) <= 0.6 * size and 0 <= lower.u0 - piece.u1 <= _BESIDE * size:
                    beside[key, other].add(page.sample)
                elif 0.6 * size < drop <= _UNDER * size and (
                    abs(lower.u0 - piece.u0) <= _ALIGNED * size
                ):
                    under[key, other].add(page.sample)
    partner: dict[str, tuple[str, str]] = {}
    for places in (beside, under):
        for (first, second), where in places.items():
            both = known[first].samples & known[second].samples
            often = len(where) >= max(1, _TOGETHER * len(both)) and len(both) >= 0.5 * max(
                len(known[first].samples), len(known[second].samples)
            )
            if first in partner or second in partner or not often or known[first].colon:
                continue
            if _are_two_languages(first, second):
                partner[first] = partner[second] = (
                    f"{names[first]} / {names[second]}",
                    first,
                )
            elif places is under and _is_one_on_two_lines(first, second, valued, where):
                partner[first] = partner[second] = (names[first] + names[second], first)
    words = []
    for key in known:
        if key not in partner:
            words.append(_Words(_in_two_languages(names[key]), (key,)))
        elif partner[key][1] == key:
            label = partner[key][0]
            keys = tuple(other for other, (text, _) in partner.items() if text == label)
            words.append(_Words(label, keys))
    return words


def _are_two_languages(first: str, second: str) -> bool:
    return bool(HAN.search(first)) != bool(HAN.search(second)) and bool(
        LETTER.search(first) and LETTER.search(second)
    )


def _is_one_on_two_lines(
    first: str, second: str, valued: Mapping[str, set[int]], where: set[int]
) -> bool:
    """Whether two lines are a label: both Chinese, and only one of them ever has a value on its row."""
    if not (HAN.search(first) and HAN.search(second)):
        return False
    of_first, of_second = len(valued[first] & where), len(valued[second] & where)
    return min(of_first, of_second) == 0 and max(of_first, of_second) >= 0.5 * len(where)


def _in_two_languages(text: str) -> str:
    """`姓名Name` and `姓名 / Name` as a label in two languages."""
    match = re.fullmatch(
        r"([^A-Za-z]*[\u3400-\u9fff)])\s*[/|(]?\s*([A-Za-z][A-Za-z .'’&/-]+)\)?", text
    )
    return f"{match[1].strip()} / {match[2].strip()}" if match else text


def _spots(every: Sequence[_Words], pages: Sequence[Printed]) -> _Spots:
    """Label → where the reader of forms finds it, with what it takes for its value there."""
    vocabulary: dict[str | None, tuple[str, ...]] = {each.label: (each.label,) for each in every}
    spots: _Spots = defaultdict(list)
    for page in pages:
        form = read_form(page.layout, vocabulary)
        for index, label in enumerate(form.labels):
            if label.name is not None and label.quality >= SURE:
                blocks = form.blocks.get(index, ())
                spots[label.name].append((page, label, blocks[0] if blocks else None))
    return spots


def _found(label: str, spots: Sequence[_Spot]) -> Iterator[Found]:
    """A label where it was found, once for each of several of the same words."""
    of_sample: dict[int, list[_Spot]] = defaultdict(list)
    for spot in spots:
        of_sample[spot[0].sample].append(spot)
    counts = Counter(map(len, of_sample.values()))
    several = counts.most_common(1)[0][0] if counts else 1
    if counts[several] < _SEVERAL * counts.total() or several > _MOST_ALIKE:
        several = 1
    sections = _sections(of_sample, several) if several > 1 else [""]
    for number in range(several):
        chosen = [
            (sample, found, block)
            for sample, places in sorted(of_sample.items())
            if len(places) > number
            for _, found, block in (places[number],)
        ]
        if chosen:
            yield Found(
                label=label,
                samples=frozenset(sample for sample, _, _ in chosen),
                values=tuple(
                    (sample, text)
                    for sample, _, block in chosen
                    if block is not None and (text := _text_of(block))
                ),
                occurrence=number + 1 if several > 1 else None,
                section=sections[number],
                u=statistics.median(found.u0 for _, found, _ in chosen),
                v=statistics.median(found.v for _, found, _ in chosen),
            )


def _sections(of_sample: Mapping[int, Sequence[_Spot]], several: int) -> list[str]:
    """What runs down the page on the left of each of several labels; nothing where it does not tell them
    apart."""
    beside: list[Counter[str]] = [Counter() for _ in range(several)]
    for places in of_sample.values():
        for number, (page, label, _) in enumerate(places[:several]):
            beside[number][_down_beside(page, label)] += 1
    found = [counter.most_common(1)[0] if counter else ("", 0) for counter in beside]
    words = [word for word, _ in found]
    least = _SEVERAL * len(of_sample)
    tells = all(word and count >= least for word, count in found) and len(set(words)) == several
    return words if tells else [""] * several


def sections_on(pages: Sequence[Printed], samples: int) -> tuple[str, ...]:
    """What runs down the page on most samples: headings of blocks."""
    seen: dict[str, set[int]] = defaultdict(set)
    for page in pages:
        for line in page.text.lines:
            if text := _down(line, page):
                seen[text].add(page.sample)
    return tuple(text for text, where in seen.items() if len(where) >= max(2, _SEVERAL * samples))


def _down(line: Line, page: Printed) -> str:
    """A line that runs down the page; empty for any other."""
    left, top, right, bottom = line.box
    text = "".join(line.text.split())
    down = (bottom - top) * page.layout.aspect > _DOWN * (right - left)
    return text if down and len(text) > 1 and HAN.match(text) else ""


def _down_beside(page: Printed, label: Label) -> str:
    """The nearest text that runs down the page on the left of a label."""
    x0, y0, _, y1 = page.text.lines[label.glyphs[0].line].box
    level = (y0 + y1) / 2
    best: tuple[float, str] | None = None
    for line in page.text.lines:
        _, top, right, bottom = line.box
        text = _down(line, page)
        if not text or not top <= level <= bottom:
            continue
        if right <= x0 + page.layout.height and (best is None or right > best[0]):
            best = (right, text)
    return "" if best is None else best[1]


def _goes_on(places: Sequence[_Spot]) -> bool:
    """Whether Latin words are mostly the beginning of more words."""
    on = 0
    for page, label, block in places:
        if block is None or block.place != "right":
            continue
        last, first = label.glyphs[-1], block.pieces[0].glyphs[0]
        if last.line != first.line or not (last.char.isascii() and first.char.isalpha()):
            continue
        on += not page.text.lines[last.line].text[last.offset + 1 : first.offset].strip()
    return on > _ON * len(places)


def _text_of(block: Block) -> str:
    """The first line of a value."""
    line = block.lines[0] if block.lines else []
    return " ".join(piece.text for piece in line).strip()

"""Lines of text out of the glyphs that a page itself is made of: pure geometry, nothing is recognised.

Glyphs come in any order, one by one or in words, and are brought together by where they stand, as an
OCR engine would box them: a line is a baseline with gaps of a character at most, or a column of
characters set one below the other.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

REVISION = 1
"""Changes when lines may come out differently; part of the key of a page's text."""

Corners = tuple[tuple[float, float], ...]


class Glyph(NamedTuple):
    """One drawn character. Lengths are in pixels of the page as it is decoded, y downwards."""

    text: str
    x: float
    y: float
    """Where it stands on its baseline."""
    angle: float
    """Direction of the baseline, in degrees clockwise from left to right."""
    advance: float
    """From its left edge to its right one, along the baseline."""
    size: float
    """Of its font: the em."""
    source: int
    """Which of the page's text objects draws it."""
    legible: bool = True
    """Whether its character is known."""


class SetLine(NamedTuple):
    """A line as it is set."""

    text: str
    quad: Corners
    """In fractions of the righted page: top left, top right, bottom right, bottom left."""
    sources: frozenset[int]
    legible: bool
    """Whether all of its characters are known."""


class TextLine(NamedTuple):
    """A line that needs no recognition."""

    text: str
    quad: Corners
    """As of a `SetLine`."""
    doubtful: bool = False
    """Whether it may say something else than what is seen, and pixels should be asked."""


class TextLayer(NamedTuple):
    """The text of a page by its own word."""

    width: int
    height: int
    """Pixels of the righted page."""
    rotation: int
    """Degrees clockwise by which the page is to be turned to be upright."""
    lines: tuple[TextLine, ...]
    rest: bool
    """Whether there may be more text on the page than these lines: in images, in drawings."""

    @property
    def is_doubtful(self) -> bool:
        """Whether any of its lines is."""
        return any(line.doubtful for line in self.lines)


_LEVEL = 0.35
"""How far apart baselines of one line may be, in ems: print filled in by another hand is a little off,
and lines of small type are a whole em apart at least."""
_GAP = 0.8
"""Ems between glyphs from which they are lines of their own, as detectors part them …"""
_GROUP_GAP = 1.5
"""The same between two digits or Latin letters: numbers are printed in groups …"""
_WIDEST_SPACING = 3.0
"""… unless all glyphs of the line are so spaced, up to this: titles are …"""
_EVEN = 0.15
"""… and their gaps differ no more than by this share."""
_WORD_GAP = 0.22
"""Ems between Latin glyphs that part words; the narrowest space is a quarter of an em …"""
_LOOSE = 1.6
"""… or so many times the gap that is usual in a line that is set wide."""
_CJK_GAP = 0.6
"""The same beside Chinese characters: narrower gaps are their own margins."""
_OVER = 0.6
"""Share of the narrower glyph from which two stand over one another: the same one twice makes it bold,
two different ones cannot be read."""
_OVER_LEVEL = 0.3
"""Ems that their baselines may be apart then."""
_ASCENT, _DESCENT = 0.88, 0.14
"""Of a line's box over and under its baseline, in ems; those of Chinese fonts."""
_COLUMN = 3
"""Characters from which a column is one: a label of two on two rows is as common …"""
_STEP = (0.8, 1.4)
"""… where each follows the other so many ems down …"""
_ASIDE = 0.2
"""… and so many aside at most."""
_STRAIGHT = 10.0
"""Degrees within which text tells which way up a page is."""

_LEADER = re.compile(r"__+|[…‥]+|\.{4,}")
_LIGATURES = range(0xFB00, 0xFB07)
_RADICALS = dict(
    zip(
        "⺠⻁⻄⻅⻆⻉⻋⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻨⻩⻬⻮⻰⻳",
        "民虎西见角贝车长门青韦页风飞食马骨鬼鱼鸟麦黄齐齿龙龟",
        strict=True,
    )
)
"""Radicals that fonts have the same glyph for as for the character, and that a PDF may therefore name
in its place (EquivalentUnifiedIdeograph.txt of the Unicode database); NFKC takes care of the others."""


def character_of(text: str) -> str:
    """The character that is meant where a font has one glyph for several: of a radical or a ligature
    what it stands for."""
    code = ord(text[0]) if len(text) == 1 else 0
    if 0x2F00 <= code <= 0x2FD5 or 0xF900 <= code <= 0xFAFF or code in _LIGATURES:
        return unicodedata.normalize("NFKC", text)
    return _RADICALS.get(text, text)


def is_character(text: str) -> bool:
    """Whether it is a character that anybody else would understand."""
    return all(unicodedata.category(c) not in ("Cc", "Cn", "Co", "Cs") for c in text) and (
        "\ufffd" not in text and text != ""
    )


def sounds_odd(text: str) -> bool:
    """Whether a font's text looks as if its glyphs were named wrongly, as far as letters tell.

    A font that names its glyphs by their places in a table of its own gives rare characters, marks
    among letters, and words that nobody can say.
    """
    shown = [c for c in text if not c.isspace()]
    if len(shown) < _TELLING:
        return False
    han = [c for c in shown if "\u3400" <= c <= "\u9fff"]
    if sum(not _is_common(c) for c in han) > _RARE * max(len(han), _TELLING):
        return True
    if sum(not c.isalnum() and c.isascii() for c in shown) > _MARKS * len(shown):
        return True
    letters = "".join(re.findall(r"(?:^|(?<=\s))[a-z]{3,}(?=[\s,.;:]|$)", text.lower()))
    vowels = sum(letters.count(vowel) for vowel in "aeiouy")
    return len(letters) >= _LETTERS and vowels < _VOWELS * len(letters)


_TELLING = 8
"""Characters from which a text tells."""
_RARE = 0.15
"""Share of its Chinese characters that may be in none of the old national sets."""
_MARKS = 0.5
"""Share of its characters that may be ASCII marks."""
_LETTERS = 20
"""Latin letters of words from which they tell …"""
_VOWELS = 0.2
"""… by the share of vowels: European languages and pinyin have a third and more."""


def _is_common(character: str) -> bool:
    for encoding in ("gb2312", "big5", "shift_jis"):
        try:
            character.encode(encoding)
        except UnicodeEncodeError:
            continue
        return True
    return False


def rotation_of(glyphs: Sequence[Glyph]) -> int:
    """Degrees clockwise by which the page is to be turned so that most of its text is upright."""
    counts = dict.fromkeys((0, 90, 180, 270), 0)
    for glyph in glyphs:
        quarter = round(glyph.angle / 90) * 90
        if not glyph.text.isspace() and abs(glyph.angle - quarter) <= _STRAIGHT:
            counts[-quarter % 360] += 1
    return max(counts, key=lambda rotation: counts[rotation])


def lines_of(glyphs: Sequence[Glyph], width: int, height: int, rotation: int) -> list[SetLine]:
    """The lines of a page of so many pixels, after it is turned by `rotation` degrees clockwise.

    In no particular order.
    """
    turned = [_turned(glyph, width, height, rotation) for glyph in glyphs]
    if rotation in (90, 270):
        width, height = height, width
    marked = _without_clashes(turned)
    directions: dict[int, list[Glyph]] = {}
    for glyph in marked:
        directions.setdefault(round(glyph.angle) % 360, []).append(glyph)
    lines = []
    for angle, alike in directions.items():
        columns, others = _columns(alike) if angle == 0 else ([], alike)
        lines += [_column_line(column, width, height) for column in columns]
        for row in _rows(others, angle):
            for piece in _pieces(row, angle):
                lines.append(_line(piece, angle, width, height))
    return [line for line in lines if line.text]


def _turned(glyph: Glyph, width: int, height: int, rotation: int) -> Glyph:
    x, y = {
        0: (glyph.x, glyph.y),
        90: (height - glyph.y, glyph.x),
        180: (width - glyph.x, height - glyph.y),
        270: (glyph.y, width - glyph.x),
    }[rotation]
    return glyph._replace(x=x, y=y, angle=(glyph.angle + rotation) % 360)


def _along(glyph: Glyph, angle: int) -> float:
    radians = math.radians(angle)
    return glyph.x * math.cos(radians) + glyph.y * math.sin(radians)


def _across(glyph: Glyph, angle: int) -> float:
    radians = math.radians(angle)
    return glyph.y * math.cos(radians) - glyph.x * math.sin(radians)


def _without_clashes(glyphs: Sequence[Glyph]) -> list[Glyph]:
    """Glyphs drawn twice once, and those drawn over others of the same direction as illegible."""
    kept: list[Glyph] = []
    cells: dict[tuple[int, int], list[int]] = {}
    cell = max(median(glyph.size for glyph in glyphs), 1.0) if glyphs else 1.0
    for glyph in glyphs:
        place = (int(glyph.x / cell), int(glyph.y / cell))
        again = False
        if not glyph.text.isspace():
            near = [
                index
                for across in (-1, 0, 1)
                for down in (-1, 0, 1)
                for index in cells.get((place[0] + across, place[1] + down), ())
            ]
            for index in near:
                other = kept[index]
                if other.source == glyph.source or not _stand_over(glyph, other):
                    continue
                if other.text == glyph.text:
                    again = True
                else:
                    kept[index] = other._replace(legible=False)
                    glyph = glyph._replace(legible=False)
        if not again:
            cells.setdefault(place, []).append(len(kept))
            kept.append(glyph)
    return kept


def _stand_over(first: Glyph, second: Glyph) -> bool:
    """Whether two glyphs of one direction take up the same place."""
    angle = round(first.angle)
    if abs(second.angle - first.angle) > 1:
        return False
    if abs(_across(first, angle) - _across(second, angle)) > _OVER_LEVEL * min(
        first.size, second.size
    ):
        return False
    start = max(_along(first, angle), _along(second, angle))
    end = min(_along(each, angle) + each.advance for each in (first, second))
    return end - start > _OVER * min(first.advance, second.advance)


def _columns(glyphs: Sequence[Glyph]) -> tuple[list[list[Glyph]], list[Glyph]]:
    """Runs of glyphs that are drawn one below the other, and all other glyphs."""
    columns: list[list[Glyph]] = []
    others: list[Glyph] = []
    for run in _downward_runs([glyph for glyph in glyphs if not glyph.text.isspace()]):
        if len(run) >= _COLUMN:
            columns.append(run)
        else:
            others += run
    if not columns:
        return [], list(glyphs)
    return columns, others + [glyph for glyph in glyphs if glyph.text.isspace()]


def _downward_runs(glyphs: Iterable[Glyph]) -> Iterator[list[Glyph]]:
    run: list[Glyph] = []
    least, most = _STEP
    for glyph in glyphs:
        if run:
            above = run[-1]
            aside = abs(glyph.x + glyph.advance / 2 - above.x - above.advance / 2)
            down = glyph.y - above.y
            size = max(glyph.size, above.size)
            if aside > _ASIDE * size or not least * size <= down <= most * size:
                yield run
                run = []
        run.append(glyph)
    if run:
        yield run


def _rows(glyphs: Sequence[Glyph], angle: int) -> list[list[Glyph]]:
    """Glyphs of one baseline each."""
    rows: list[list[Glyph]] = []
    start = 0.0
    for glyph in sorted(glyphs, key=lambda each: _across(each, angle)):
        level = _across(glyph, angle)
        if rows and level - start <= _LEVEL * min(glyph.size, rows[-1][0].size):
            rows[-1].append(glyph)
        else:
            rows.append([glyph])
            start = level
    return rows


def _pieces(row: Sequence[Glyph], angle: int) -> list[list[Glyph]]:
    """The parts of a row that stand apart; a glyph after a space begins with it.

    Leaders, and rules to be filled in, part what stands around them.
    """
    ordered = sorted(row, key=lambda glyph: _along(glyph, angle))
    leads = _LEADER.finditer("".join(glyph.text[0] for glyph in ordered))
    leaders = {index for match in leads for index in range(*match.span())}
    inked: list[Glyph] = []
    after_space = False
    for index, glyph in enumerate(ordered):
        if index in leaders or glyph.text.isspace():
            after_space = True
            continue
        inked.append(glyph._replace(text=f" {glyph.text}") if after_space and inked else glyph)
        after_space = False
    gaps = [_gap(a, b, angle) for a, b in pairwise(inked)]
    pieces: list[list[Glyph]] = []
    for number, glyph in enumerate(inked):
        latin = number and not any(_is_wide(g.text[-1]) for g in inked[number - 1 : number + 1])
        widest = _GROUP_GAP if latin else _GAP
        if number and (gaps[number - 1] < widest or _is_spaced(gaps, number - 1)):
            pieces[-1].append(glyph)
        else:
            pieces.append([glyph])
    return pieces


def _gap(first: Glyph, second: Glyph, angle: int) -> float:
    """Between two glyphs, in ems of the larger."""
    apart = _along(second, angle) - _along(first, angle) - first.advance
    return apart / max(first.size, second.size)


def _is_spaced(gaps: Sequence[float], at: int) -> bool:
    """Whether a wide gap stands among others as wide: a word is set with wide spaces."""
    gap = gaps[at]
    near = [gaps[i] for i in (at - 1, at + 1) if 0 <= i < len(gaps)]
    even = bool(near) and all(abs(other - gap) <= _EVEN * gap for other in near)
    return gap <= _WIDEST_SPACING and even


def _line(piece: Sequence[Glyph], angle: int, width: int, height: int) -> SetLine:
    gaps = [_gap(a, b, angle) for a, b in pairwise(piece)]
    usual = max(median(gaps), 0.0) if len(gaps) >= _COLUMN else 0.0
    text = piece[0].text
    for glyph, gap in zip(piece[1:], gaps, strict=True):
        wide = _is_wide(text[-1]) or _is_wide(glyph.text[-1])
        least = max(_CJK_GAP if wide else _WORD_GAP, _LOOSE * usual)
        text += glyph.text if gap <= least or glyph.text[0] == " " else f" {glyph.text}"
    start = _along(piece[0], angle)
    end = max(_along(glyph, angle) + glyph.advance for glyph in piece)
    top = min(_across(glyph, angle) - _ASCENT * glyph.size for glyph in piece)
    bottom = max(_across(glyph, angle) + _DESCENT * glyph.size for glyph in piece)
    radians = math.radians(angle)
    corners = [
        (
            u * math.cos(radians) - v * math.sin(radians),
            u * math.sin(radians) + v * math.cos(radians),
        )
        for u, v in ((start, top), (end, top), (end, bottom), (start, bottom))
    ]
    if 45 < angle < 315:  # boxed as detectors do, who take what stands on end as they find it
        corners = _hull(corners)
    return _set(text, corners, piece, width, height)


def _column_line(column: Sequence[Glyph], width: int, height: int) -> SetLine:
    corners = [
        (glyph.x + across, glyph.y + down)
        for glyph in column
        for across in (0.0, glyph.advance)
        for down in (-_ASCENT * glyph.size, _DESCENT * glyph.size)
    ]
    text = "".join(glyph.text for glyph in column)
    return _set(text, _hull(corners), column, width, height)


def _set(
    text: str, corners: Corners | list[tuple[float, float]], glyphs: Sequence[Glyph], w: int, h: int
) -> SetLine:
    quad = tuple(
        (round(min(max(x / w, 0.0), 1.0), 5), round(min(max(y / h, 0.0), 1.0), 5))
        for x, y in corners
    )
    return SetLine(
        text.strip(),
        quad,
        frozenset(glyph.source for glyph in glyphs),
        all(glyph.legible for glyph in glyphs),
    )


def _hull(corners: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    xs, ys = zip(*corners, strict=True)
    left, top, right, bottom = min(xs), min(ys), max(xs), max(ys)
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"

"""Finding a code among the lines that page OCR read: by label, by form and by place.

Pure geometry and text; no pixels.  Lengths are in pixels of the righted page, in a frame turned by
the page's skew, so that a tilted photograph is searched as its straight scan would be.

The numbers are judgements, and were moved to half and to twice their values (whole ones by one, too)
over the page OCR of 60 synthetic samples and 80 photographed licences, and of 65 each of these with
the code's line lost, and with every sixth character of it and one of its label misread. Of the 270
codes 241 are cut out whole. `[half −9]` says that at half of it nine fewer are; where nothing is said,
none is lost or won. A wider crop covers more, but what a reader makes of it is not in these figures.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from rapidfuzz import fuzz

from ocr_moe.codes import lookalikes
from ocr_moe.codes.grammar import FILLER, CodeGrammar
from ocr_moe.codes.lookalikes import CREDIT_CODE_TWINS, DIGIT_OF
from ocr_moe.folds import fold_in_place
from ocr_moe.geometry import CODE_LENGTH, direction, distance, line_height
from ocr_moe.types import Line, PageText, Quad

_DIGIT_TWINS = str.maketrans(DIGIT_OF)
_LETTER_TWINS = str.maketrans(CREDIT_CODE_TWINS)
_STRAY = r"()\[\]{}|!"  # alone between digits these are misread digits themselves
_SEPARATORS = rf"[\s\-‐-―·•.,'_*~]{{0,3}}[{_STRAY}]?[\s\-‐-―·•.,'_*~]{{0,3}}"
_STRAYS = re.compile(f"[{_STRAY}]")
_NUMBER_SIGN = re.compile(r"(?<![A-Z])N[O0]\s*[.:°º,]*|№")
_BRACKETED = re.compile(r"\([^()]{0,12}\)")  # (1-1), (副本): never part of a code
_FOREIGN_LABELS = ("身份证", "学号", "学籍号", "考生号", "电话", "邮编", "邮政编码")
_MIN_RUN = 5
"""Letters and digits from which a run may be a code, or what OCR has left of one. [at 6 −5, at 10
−12, at 2 −1]"""
_READ = 0.8
"""Line confidence from which a place counts as read."""
_LEVEL = 0.6
"""How far from level parts of one row may stand, in heights of the higher line."""
_EDGE = 0.3
"""How far beyond a strip's end, in line heights, a character may reach that its box has clipped …
[twice +1]"""
_EDGE_OF_ROW = 0.2
"""… and beyond that of a strip which is wide enough as it is. [half −1]"""


@dataclass(frozen=True)
class Strip:
    """A stretch of one row of the page that holds (a part of) a code, as a crop to be read.

    `quad` is in fractions of the page; `before` and `after` say how far, in line heights, the code
    may run on beyond its ends.
    """

    quad: Quad
    before: float
    after: float


@dataclass(frozen=True)
class CodePlace:
    """A place where the code may stand."""

    run: str
    """Its letters and digits as page OCR read them, separators dropped, upper case."""
    text: str
    """The whole text of the line(s)."""
    confidence: float
    """The least of page OCR's confidences of the lines."""
    strips: tuple[Strip, ...]
    code: str | None
    """`run` as a code of one of the grammars, lookalikes put right; None where it is none."""
    grammar: CodeGrammar | None
    checked: bool | None
    """Whether the check character is right; None without a check."""
    label: str | None
    alien: bool
    """Whether another field's label claims it."""
    score: float
    exact: bool
    """Whether `code` is what page OCR read, and nothing else of a code's kind touches it."""
    written: bool = False
    """Whether the page's own text says so: no recogniser could know better."""


@dataclass(frozen=True)
class Spot:
    """Where a code should stand though page OCR read none: its rows, beside or under its label."""

    label: str
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class Findings:
    places: tuple[CodePlace, ...]
    """The likeliest first."""
    spots: tuple[Spot, ...]
    """Beside labels, the strongest label first."""
    under: tuple[Spot, ...]
    """Two rows under labels, each at the usual line spacings."""
    unread: tuple[Strip, ...]
    """Long lines that OCR could not read, those most like a code's first."""
    upward: tuple[Strip, ...]
    """Lines on end that were read badly, as lines that run up the page; OCR took them for running
    down it."""


@dataclass(frozen=True)
class _Placed:
    """A line in the frame of the page's skew, in pixels."""

    index: int
    text: str
    confidence: float
    left: float
    right: float
    middle: float
    height: float


@dataclass(frozen=True)
class _Run:
    line: _Placed
    code: str
    start: int
    end: int
    """Characters `start` to `end` of the folded line."""
    folded: str

    @property
    def stretch(self) -> str:
        return self.folded[self.start : self.end]

    @property
    def left(self) -> float:
        return _x_of(self.line, self.folded, self.start)

    @property
    def right(self) -> float:
        return _x_of(self.line, self.folded, self.end)


def find_codes(
    page: PageText,
    grammars: Sequence[CodeGrammar],
    labels: Sequence[str],
    alien_labels: Sequence[str] = (),
) -> Findings:
    """Where a code of `grammars` may stand on the page, and the labels that stand there bare.

    `labels` come strongest first. `alien_labels` announce values of other fields.
    """
    frame = _Frame(page)
    lines = frame.lines
    ranked = {fold_in_place(label): rank for rank, label in enumerate(labels)}
    aliens = {fold_in_place(label) for label in (*alien_labels, *_FOREIGN_LABELS)} - ranked.keys()
    letters = any(not c.isdigit() for g in grammars for c in g.characters)
    fillers = any(FILLER in g.characters for g in grammars)
    runs = [run for line in lines for run in _runs(line, ranked, letters, fillers)]
    groups: list[tuple[_Run, ...]] = [(run,) for run in runs]
    groups += [
        (first, second)
        for first in runs
        for second in runs
        if first is not second and _continues(first, second, grammars)
    ]
    groups += _stacks(lines)
    places = [
        place
        for group in groups
        if (place := _place_of(frame, group, grammars, ranked, aliens)) is not None
    ]
    places.sort(key=lambda c: -c.score)
    distinct: list[CodePlace] = []
    for place in places:
        if all(place.run not in other.run for other in distinct):
            distinct.append(place)
    announcing = _announcing(frame, ranked, aliens)
    beside = [_beside(frame, label, line, grammars) for label, line in announcing]
    under = [
        _under(frame, label, line, pitch, grammars)
        for label, line in announcing
        for pitch in _PITCHES
    ]
    return Findings(tuple(distinct), tuple(beside), tuple(under), _unread(page), _upward(page))


def skew_of(page: PageText) -> float:
    """The angle of the page's lines, in radians clockwise."""
    quads = (line.quad for line in page.lines)
    right, down = direction(quads, CODE_LENGTH, page.width, page.height)
    return math.atan2(down, right)


def read_surely(page: PageText) -> tuple[Line, ...]:
    """The lines that were read surely and hold nothing of a code: no need to look at them again."""
    return tuple(
        line
        for line in page.lines
        if line.confidence > _READ
        and len(line.text) > 1
        and sum(c.isascii() and c.isalnum() for c in line.text) < _MIN_RUN
    )


def _lengthwise(quad: Quad) -> Quad:
    """The corners of a line that runs down the page, in the order of its text."""
    return (quad[1], quad[2], quad[3], quad[0])


_READ_WELL = 0.95
"""Line confidence from which a line on end was read the right way round."""


def _upward(page: PageText) -> tuple[Strip, ...]:
    """The longest first."""
    badly = [
        line.quad for line in page.lines if line.confidence < _READ_WELL and len(line.text) > 1
    ]
    on_end = [quad for quad in badly if _on_end(quad, page)]
    on_end.sort(key=lambda quad: quad[0][1] - quad[3][1])
    return tuple(Strip((q[3], q[0], q[1], q[2]), _EDGE, _EDGE) for q in on_end)


_LEAST_SLENDER = 5.0
"""How long a line with a whole code is, in its heights."""


def _unread(page: PageText) -> tuple[Strip, ...]:
    badly = [line for line in page.lines if line.confidence < _READ]
    badly = [line for line in badly if _slenderness(line.quad, page) >= _LEAST_SLENDER]
    badly.sort(key=lambda line: (_wordiness(line.text), -_slenderness(line.quad, page)))
    return tuple(Strip(line.quad, _EDGE_OF_ROW, _EDGE_OF_ROW) for line in badly)


def _wordiness(text: str) -> float:
    """Share of a line's characters that are no code's."""
    return sum(not character.isascii() for character in text) / max(len(text), 1)


def _slenderness(quad: Quad, page: PageText) -> float:
    """Length of a line in heights."""
    size = page.width, page.height
    return distance(quad[0], quad[1], *size) / max(distance(quad[0], quad[3], *size), 1.0)


# Characters one below the other, in heights of the higher.
_STACK_ASIDE = 0.5
"""How far aside the next one may stand."""
_STACK_STEP = (0.5, 2.0)
"""Down to it."""


def _stacks(lines: Sequence[_Placed]) -> list[tuple[_Run, ...]]:
    """Characters that stand one below the other, each read as a line of its own."""
    single = [line for line in lines if len(line.text) == 1 and line.text.isalnum()]
    single = [line for line in single if fold_in_place(line.text).isascii()]
    single.sort(key=lambda line: line.middle)
    stacks: list[list[_Placed]] = []
    least, most = _STACK_STEP
    for line in single:
        for stack in stacks:
            above = stack[-1]
            height = max(above.height, line.height)
            aside = abs(above.left + above.right - line.left - line.right) / 2
            down = line.middle - above.middle
            if aside < _STACK_ASIDE * height and least * height < down < most * height:
                stack.append(line)
                break
        else:
            stacks.append([line])
    return [
        tuple(
            _Run(line, folded, 0, 1, folded)
            for line in stack
            for folded in [fold_in_place(line.text)]
        )
        for stack in stacks
        if len(stack) >= _MIN_RUN
    ]


_ON_END = 1.5
"""A line is on end that is so many times as high as it is long."""


def _on_end(quad: Quad, page: PageText) -> bool:
    return _ON_END * _slenderness(quad, page) < 1.0


class _Frame:
    """The page's lines, turned by its skew."""

    def __init__(self, page: PageText) -> None:
        self.width, self.height = page.width, page.height
        self.written = [line.exact for line in page.lines]
        angle = skew_of(page)
        self._cos, self._sin = math.cos(angle), math.sin(angle)
        self.quads = [
            _lengthwise(line.quad) if _on_end(line.quad, page) else line.quad for line in page.lines
        ]
        self.lines = [
            self._placed(i, line.text, line.confidence, line.quad)
            for i, line in enumerate(page.lines)
        ]

    def turned(self, x: float, y: float) -> tuple[float, float]:
        """Fractions of the page → pixels of the turned frame."""
        px, py = x * self.width, y * self.height
        return px * self._cos + py * self._sin, py * self._cos - px * self._sin

    def back(self, x: float, y: float) -> tuple[float, float]:
        """Pixels of the turned frame → fractions of the page."""
        px, py = x * self._cos - y * self._sin, x * self._sin + y * self._cos
        return px / self.width, py / self.height

    def box(self, left: float, top: float, right: float, bottom: float) -> Quad:
        return (
            self.back(left, top),
            self.back(right, top),
            self.back(right, bottom),
            self.back(left, bottom),
        )

    def _placed(self, index: int, text: str, confidence: float, quad: Quad) -> _Placed:
        a, b, c, d = (self.turned(x, y) for x, y in quad)
        return _Placed(
            index=index,
            text=text,
            confidence=confidence,
            left=(a[0] + d[0]) / 2,
            right=(b[0] + c[0]) / 2,
            middle=(a[1] + b[1] + c[1] + d[1]) / 4,
            height=max(line_height((a, b, c, d)), 1.0),
        )


_LATIN_BREADTH, _MARK_BREADTH = 0.55, 0.3
"""Advance widths of letters and digits, and of narrow marks, in those of a Chinese character: what
is usual in typefaces. [half of the first −4, 0.8 −2, 1.25 and twice −1]"""


def _breadth(character: str) -> float:
    """Rough advance width relative to a Chinese character."""
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    return _MARK_BREADTH if character in " .,:;'|!" else _LATIN_BREADTH


def _x_of(line: _Placed, folded: str, position: int) -> float:
    """Where the character at `position` begins, from the widths of those before it."""
    breadths = [_breadth(c) for c in line.text] or [1.0]
    total = sum(breadths) or 1.0
    return line.left + (line.right - line.left) * sum(breadths[:position]) / total


_LEAST_PART = 2
"""Letters and digits of a part of a code …"""
_DIGITS = 0.4
"""… and the share of them that are digits: a credit code may have more letters, words have none.
[half +3, 1.25 −2, twice −36]"""


def _runs(line: _Placed, labels: dict[str, int], letters: bool, fillers: bool) -> list[_Run]:
    """Stretches of letters and digits that could be (a part of) a code."""
    folded = fold_in_place(line.text)
    blanked = folded
    for label in sorted(labels, key=len, reverse=True):
        blanked = blanked.replace(label, "\n" * len(label))
    for pattern in (_NUMBER_SIGN, _BRACKETED):
        blanked = pattern.sub(lambda m: "\n" * len(m.group()), blanked)
    if fillers:
        blanked = re.sub(f"[{lookalikes.FILLERS}]", FILLER, blanked)
    character = "[0-9A-Z<]" if letters else f"[0-9{''.join(DIGIT_OF)}]"
    runs = []
    for match in re.finditer(f"{character}(?:{_SEPARATORS}{character})*", blanked):
        if "\n" in match.group():
            pieces = [
                (match.start() + m.start(), match.start() + m.end(), m.group())
                for m in re.finditer(r"[^\n]+", match.group())
            ]
        else:
            pieces = [(match.start(), match.end(), match.group())]
        for start, end, text in pieces:
            code = "".join(c for c in text if c.isalnum() or c == "<")
            digits = sum(c.isdigit() or c == "<" for c in code)
            if len(code) >= _LEAST_PART and digits >= _DIGITS * len(code):
                runs.append(_Run(line, code, start, end, folded))
    return runs


def _lengths(grammars: Sequence[CodeGrammar]) -> set[int]:
    return {n for g in grammars for n in range(g.shortest, g.longest + 1)}


# When a run goes on with another; lengths in heights of the higher line.
_LEAST_HALF = 3
"""Characters that each of the two must have."""
_LIKE_HEIGHT = (0.5, 2.0)
"""Height of the first, in heights of the second."""
_ROW_GAP = (-0.5, 4.0)
"""From the first to the second on one row."""
_ROW_DROP = 2.5
"""Furthest down to the second on the next row."""
_SWALLOWED = 4
"""Characters that a gap on one row may have swallowed."""


def _continues(first: _Run, second: _Run, grammars: Sequence[CodeGrammar]) -> bool:
    """Whether the second run may be the rest of a code that begins with the first."""
    lengths = _lengths(grammars)
    if first.line.index == second.line.index:
        return False
    together = len(first.code) + len(second.code)
    if together > max(lengths) or len(first.code) in lengths or len(second.code) in lengths:
        return False
    if min(len(first.code), len(second.code)) < _LEAST_HALF:
        return False
    ends = first.end >= len(first.folded.rstrip()) - 1
    begins = not second.folded[: second.start].strip()
    if not (ends and begins):
        return False
    height = max(first.line.height, second.line.height)
    lowest, highest = _LIKE_HEIGHT
    if not lowest < first.line.height / second.line.height < highest:
        return False
    drop = second.line.middle - first.line.middle
    gap = second.left - first.right
    least, most = _ROW_GAP
    same_row = abs(drop) < _LEVEL * height and least * height < gap < most * height
    next_row = _LEVEL * height <= drop < _ROW_DROP * height and second.left < first.right
    # On one row a gap may have swallowed characters; on two, the lengths must add up.
    enough = together >= min(lengths) - _SWALLOWED
    return (same_row and enough) or (next_row and together in lengths)


# Of the ways to read a run as a code the best is taken, by the sum of these and of the logarithm of
# the grammar's weight: log-odds, in nats, as they were judged.
_CHECK_PASSES, _CHECK_FAILS = 6.0, -2.0
"""A check character is right by chance once in ten or 31 times; it is wrong where one was misread."""
_ANNOUNCED = 2.0
"""One of the grammar's own labels announces the run."""
_STRAY_CHARACTER = -2.0
"""For each character of the run that is left out."""
_TWIN = -3.0
"""For each character that is taken for one that looks like it."""


def _as_code(
    run: str, grammars: Sequence[CodeGrammar], label: str | None
) -> tuple[str, CodeGrammar, bool | None] | None:
    """The run, or a window of it, as a code: the best (code, grammar, check) or None."""
    best: tuple[float, str, CodeGrammar, bool | None] | None = None
    for grammar in grammars:
        announced = label is not None and label in {fold_in_place(x) for x in grammar.labels}
        for length in range(grammar.longest, grammar.shortest - 1, -1):
            for offset in range(max(len(run) - length, -1) + 1):
                window = run[offset : offset + length]
                for text in dict.fromkeys(
                    (window, window.translate(_LETTER_TWINS), window.translate(_DIGIT_TWINS))
                ):
                    if not grammar.matches(text):
                        continue
                    checked = grammar.checks(text)
                    worth = (
                        math.log(grammar.weight)
                        + _of_check(checked, _CHECK_PASSES, _CHECK_FAILS)
                        + (_ANNOUNCED if announced else 0.0)
                        + _STRAY_CHARACTER * (len(run) - length)
                        + _TWIN * sum(a != b for a, b in zip(text, window, strict=True))
                    )
                    if best is None or worth > best[0]:
                        best = (worth, text, grammar, checked)
                    break
    return None if best is None else best[1:]


def _of_check(checked: bool | None, passes: float, fails: float) -> float:
    """What a check character says for a code; nothing where there is none."""
    return 0.0 if checked is None else passes if checked else fails


# The score of a place: points for its form and its label. `least_place` of the code reader, 0, is the
# score below which a run is no place of a code.
_IS_CODE = 4.0
"""Of a run that is a code. [half −1, and 3 fewer are found at all]"""
_IS_CHECKED, _IS_NOT_CHECKED = 3.0, -1.0
"""More where the check is right and nothing of the run is left out, and less where it is wrong."""
_SURPLUS = -1.5
"""For each character of the run that is not of the code."""
_LIKE_CODE = 2.5
"""Of a run that is no code but as long as one … [half −9, 0.8 −3, 1.25 +2, twice +1, and 3 fewer are
found at all]"""
_OFF_LENGTH = -0.35
"""… less for each character too many or too few … [half and 0.8 +2, 1.25 −3, twice −9]"""
_UNLIKE_CODE = -2.0
"""… and never below this."""
_ALIEN = -6.0
"""Where another field's label claims it: more than any label of its own is worth."""
_JOINT = -0.5
"""For each place where two lines were joined …"""
_JOINTS = 2
"""… up to so many."""


def _place_of(
    frame: _Frame,
    group: tuple[_Run, ...],
    grammars: Sequence[CodeGrammar],
    labels: dict[str, int],
    aliens: set[str],
) -> CodePlace | None:
    run = "".join(part.code for part in group)
    if len(run) < _MIN_RUN:
        return None
    label, label_worth = _label_of(frame, group[0], labels, aliens)
    alien = _alien(frame, group[0], aliens, label_worth)
    fitted = _as_code(run, grammars, label)
    code, grammar, checked = fitted if fitted is not None else (None, None, None)
    lengths = _lengths(grammars)
    away = min(abs(len(run) - n) for n in lengths)
    if fitted is not None:
        surplus = len(run) - len(fitted[0])
        form = _IS_CODE + _of_check(checked, 0.0 if surplus else _IS_CHECKED, _IS_NOT_CHECKED)
        form += _SURPLUS * surplus
    else:
        form = max(_LIKE_CODE + _OFF_LENGTH * away, _UNLIKE_CODE)
    score = form + label_worth + (_ALIEN if alien else 0.0)
    score += _JOINT * min(len(group) - 1, _JOINTS)
    missing = max(min((n for n in lengths), key=lambda n: abs(len(run) - n)) - len(run), 0)
    return CodePlace(
        run=run,
        text=" ".join(part.line.text for part in group),
        confidence=min(part.line.confidence for part in group),
        strips=_strips(frame, group, missing),
        code=code,
        grammar=grammar,
        checked=checked,
        label=label,
        alien=alien,
        score=score,
        exact=code == run and not any(_STRAYS.search(part.stretch) for part in group),
        written=all(frame.written[part.line.index] for part in group),
    )


# How a place is cropped, in heights of its line.
_BEYOND = 0.6
"""How far a code may run on beyond its line: a character that was not seen …"""
_LOST = 1.15
"""… and for each character that it is too short, in its own characters' advance: a little more than
one."""
_KEPT_BEFORE, _KEPT_AFTER = 4.0, 2.5
"""How much of the text before and after it is left: a label of a few characters, a mark or two.
[half of the first −10, 0.8 −8, twice +2; of the second −9, −1, +8]"""


def _strips(frame: _Frame, group: tuple[_Run, ...], missing: int) -> tuple[Strip, ...]:
    """The crops of a place: one a row. `missing` characters may have been cut off."""
    strips: list[Strip] = []
    rows: list[list[_Run]] = [[group[0]]]
    for part in group[1:]:
        above = rows[-1][-1].line
        if abs(part.line.middle - above.middle) < _LEVEL * max(above.height, part.line.height):
            rows[-1].append(part)
        else:
            rows.append([part])
    for row in rows:
        first, last = row[0], row[-1]
        quad = _spanned(frame.quads[first.line.index], frame.quads[last.line.index])
        height = max(part.line.height for part in row)
        advance = (last.right - first.left) / max(sum(len(p.code) for p in row), 1) / height
        beyond = _BEYOND + _LOST * missing * advance
        starts = not first.folded[: first.start].strip()
        ends = last.end >= len(last.folded.rstrip()) - 1
        # Text before the code is left out where it is much longer than the code itself.
        keep_from = max(first.left - _KEPT_BEFORE * height, first.line.left)
        keep_to = min(last.right + _KEPT_AFTER * height, last.line.right)
        width = last.line.right - first.line.left
        if width > 0 and (keep_from > first.line.left or keep_to < last.line.right):
            quad = _part_of(
                quad,
                (keep_from - first.line.left) / width,
                (keep_to - first.line.left) / width,
            )
        strips.append(Strip(quad, beyond if starts else _EDGE, beyond if ends else _EDGE))
    return tuple(strips)


def _spanned(first: Quad, last: Quad) -> Quad:
    return (first[0], last[1], last[2], first[3])


def _part_of(quad: Quad, start: float, end: float) -> Quad:
    def between(a: tuple[float, float], b: tuple[float, float], t: float) -> tuple[float, float]:
        return (a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t)

    tl, tr, br, bl = quad
    return (
        between(tl, tr, start),
        between(tl, tr, end),
        between(bl, br, end),
        between(bl, br, start),
    )


_SHORT_LABEL = 3
"""Characters up to which a label must have been read right. [at 1 and 2 +1, at 4 and 6 −1]"""
_LIKE_LABEL = 74.0
"""Likeness (`rapidfuzz.fuzz.partial_ratio`) from which a text is a label misread: of four characters
one may be wrong, of eight two. [half −1, 1.25 −7]"""


def _label_in(text: str, labels: dict[str, int], aliens: Set[str]) -> tuple[str, int, int] | None:
    """(label, start, end) of the strongest label in a folded text, read tolerantly; what is just the
    label of another field (发票号码) is no label of this one misread (发票代码)."""
    for label in sorted(labels, key=lambda x: labels[x]):
        at = text.rfind(label)
        if at >= 0:
            return label, at, at + len(label)
        if len(label) > _SHORT_LABEL and len(text) >= len(label) - 1:
            match = fuzz.partial_ratio_alignment(label, text, score_cutoff=_LIKE_LABEL)
            if match is None or match.dest_end - match.dest_start < len(label) - 1:
                continue
            if text[match.dest_start : match.dest_end] not in aliens:
                return label, match.dest_start, match.dest_end
    return None


# What a label is worth, in points of a place's score.
_FIRST_LABEL = 5.0
"""The first of its field: more than a code by its form alone … [half −5]"""
_LATER_LABEL = -0.25
"""… for each label declared before it …"""
_ANY_LABEL = 2.5
"""… but at least this."""
_TEXT_BETWEEN = -0.4
"""For each character between the label and the run, other than marks … [twice −5]"""
_MUCH_TEXT = 10
"""… up to so many …"""
_TEXT_BEFORE = 0.5
"""… among which each one before a label on another line counts this much."""


def _strength(rank: int) -> float:
    """What a label is worth: the schema lists the telling ones first."""
    return max(_FIRST_LABEL + _LATER_LABEL * rank, _ANY_LABEL)


def _label_of(
    frame: _Frame, run: _Run, labels: dict[str, int], aliens: Set[str]
) -> tuple[str | None, float]:
    """The label that announces the run, and what that is worth."""
    best: tuple[str | None, float] = (None, 0.0)

    def offer(label: str, worth: float) -> None:
        nonlocal best
        if worth > best[1]:
            best = (label, worth)

    own = _label_in(run.folded[: run.start], labels, aliens)
    if own is not None:
        distance = len(run.folded[own[2] : run.start].strip(" :.;,#"))
        offer(own[0], _strength(labels[own[0]]) + _TEXT_BETWEEN * min(distance, _MUCH_TEXT))
    for line in frame.lines:
        if line.index == run.line.index:
            continue
        place = _relation(line, run)
        if place is None:
            continue
        folded = fold_in_place(line.text)
        found = _label_in(folded, labels, aliens)
        if found is None:
            continue
        # A label within a longer text announces what follows it there, not what stands around.
        rest = len(folded[found[2] :].strip(" :.;,#")) + _TEXT_BEFORE * found[1]
        worth = _strength(labels[found[0]]) * place
        offer(found[0], worth + _TEXT_BETWEEN * min(rest, _MUCH_TEXT))
    return best


# How well a label stands, as a share of its worth; lengths in heights of the higher line.
_LEFT, _FAR_LEFT = 0.95, 0.7
"""On the left; within a line of its own it is worth all."""
_ABOVE, _UNDER = 0.7, 0.5
_LABEL_LEVEL = 0.7
"""How far from level a label on the left may stand …"""
_FAR = 12.0
"""… and how far off it is far."""
_LABEL_ROW = (0.5, 2.4)
"""Up or down to a label above or under the run."""
_LABEL_EDGE = 2.0
"""How far apart their left edges may be then, where neither reaches over the other."""


def _relation(line: _Placed, run: _Run) -> float | None:
    """How well a line stands to be the label of a run: on its left, above or under it."""
    height = max(run.line.height, line.height)
    across = run.line.middle - line.middle
    if abs(across) < _LABEL_LEVEL * height and line.right <= run.left + height:
        return _LEFT if run.left - line.right < _FAR * height else _FAR_LEFT
    overlap = min(line.right, run.right) - max(line.left, run.left)
    least, most = _LABEL_ROW
    if overlap > 0 or abs(line.left - run.left) < _LABEL_EDGE * height:
        if least * height < across < most * height:
            return _ABOVE
        if -most * height < across < -least * height:
            return _UNDER
    return None


_OUTRANKS = 4.0
"""Worth from which the field's own label outranks another's in the same line …"""
_OWNED = 2.0
"""… and from which labels on other lines do not matter."""


def _alien(frame: _Frame, run: _Run, aliens: set[str], label_worth: float) -> bool:
    """Whether the nearest label on the left is another field's."""
    before = run.folded[: run.start]
    found = [label for label in aliens if len(label) > 1 and label in before]
    if found and label_worth < _OUTRANKS:
        return True
    if label_worth >= _OWNED or before.strip(" :."):
        return False
    lefts = [
        line
        for line in frame.lines
        if line.index != run.line.index
        and (_relation(line, run) or 0.0) >= _FAR_LEFT
        and line.right <= run.left + line.height
    ]
    if not lefts:
        return False
    nearest = fold_in_place(max(lefts, key=lambda line: line.right).text).strip(" :.")
    return any(len(label) > 1 and nearest.endswith(label) for label in aliens)


_WITHIN = 2
"""Characters that may stand before a label shorter than `_SHORT_LABEL`; further in, it is a word."""


def _announcing(
    frame: _Frame, labels: dict[str, int], aliens: Set[str]
) -> list[tuple[str, _Placed]]:
    """Lines that hold a label, as (label, the part of the line that the label takes)."""
    found = []
    for line in frame.lines:
        folded = fold_in_place(line.text)
        match = _label_in(folded, labels, aliens)
        if match is None or (len(match[0]) < _SHORT_LABEL and match[1] > _WITHIN):
            continue
        label, start, end = match
        part = replace(line, left=_x_of(line, folded, start), right=_x_of(line, folded, end))
        found.append((label, part))
    return sorted(found, key=lambda item: labels[item[0]])


# Where a code stands of which only the label was read; in heights of the label's box, which is
# generous, unless said otherwise.
_ADVANCE = 0.62
"""Of a digit. [half −11, 0.8 −3, 1.25 +2, twice +4]"""
_SPARE = 3
"""Characters by which a row beside a label is longer than the longest code … [at 1 and 2 −1]"""
_GAP = 2.0
"""… and the gap before the code. [half −1]"""
_SPARE_UNDER = 2
"""Characters by which each of two rows under a label is longer than half a code. [at 1 +3, at
3 −1]"""
_PITCHES = (1.1, 1.5)
"""From row to row: set close, and with a little lead."""
_HALF_BESIDE, _HALF_UNDER = 0.75, 0.5
"""From the middle of a row to its edge: beside a label the code may stand a little higher or lower,
and under it the next row must not be reached. [half of the first −5, 1.25 +1, twice +2]"""


def _beside(frame: _Frame, label: str, line: _Placed, grammars: Sequence[CodeGrammar]) -> Spot:
    longest = max(g.longest for g in grammars)
    reach = _ADVANCE * line.height * (longest + _SPARE) + _GAP * line.height
    return Spot(label, (_row(frame, line, line.right, 0.0, reach, _HALF_BESIDE),))


def _under(
    frame: _Frame, label: str, line: _Placed, pitch: float, grammars: Sequence[CodeGrammar]
) -> Spot:
    longest = max(g.longest for g in grammars)
    reach = _ADVANCE * line.height * (longest / 2 + _SPARE_UNDER)
    rows = (_row(frame, line, line.left, n * pitch, reach, _HALF_UNDER) for n in (1, 2))
    return Spot(label, tuple(rows))


def _row(
    frame: _Frame, line: _Placed, left: float, down: float, reach: float, half: float
) -> Strip:
    """A row `down` line heights under a line, `half` of one above and below its middle."""
    middle = line.middle + down * line.height
    top, bottom = middle - half * line.height, middle + half * line.height
    return Strip(frame.box(left, top, left + reach, bottom), _EDGE_OF_ROW, _EDGE_OF_ROW)

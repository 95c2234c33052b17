"""Finding a code among the lines that page OCR read: by label, by form and by place.

Pure geometry and text; no pixels.  Lengths are in pixels of the righted page, in a frame turned by
the page's skew, so that a tilted photograph is searched as its straight scan would be.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rapidfuzz import fuzz

from ocr_moe.codes.grammar import CodeGrammar
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
_SHORT_LABEL = 3
_MIN_RUN = 5
_PITCHES = (1.1, 1.5)  # from row to row, in heights of a line's box, which is generous
_LEAST_SLENDER = 5.0  # heights that a line with a whole code is long
_ADVANCE = 0.62  # of a digit, in heights of a line's box
_READ = 0.8  # line confidence from which a place counts as read


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
    """Two rows under labels, each at the line spacings of `_PITCHES`."""
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
    runs = [run for line in lines for run in _runs(line, ranked, letters)]
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
    announcing = _announcing(frame, ranked)
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


def _upward(page: PageText) -> tuple[Strip, ...]:
    """The longest first."""
    badly = [line.quad for line in page.lines if line.confidence < 0.95 and len(line.text) > 1]
    on_end = [quad for quad in badly if _on_end(quad, page)]
    on_end.sort(key=lambda quad: quad[0][1] - quad[3][1])
    return tuple(Strip((q[3], q[0], q[1], q[2]), 0.3, 0.3) for q in on_end)


def _unread(page: PageText) -> tuple[Strip, ...]:
    badly = [line for line in page.lines if line.confidence < _READ]
    badly = [line for line in badly if _slenderness(line.quad, page) >= _LEAST_SLENDER]
    badly.sort(key=lambda line: (_wordiness(line.text), -_slenderness(line.quad, page)))
    return tuple(Strip(line.quad, 0.2, 0.2) for line in badly)


def _wordiness(text: str) -> float:
    """Share of a line's characters that are no code's."""
    return sum(not character.isascii() for character in text) / max(len(text), 1)


def _slenderness(quad: Quad, page: PageText) -> float:
    """Length of a line in heights."""
    size = page.width, page.height
    return distance(quad[0], quad[1], *size) / max(distance(quad[0], quad[3], *size), 1.0)


def _stacks(lines: Sequence[_Placed]) -> list[tuple[_Run, ...]]:
    """Characters that stand one below the other, each read as a line of its own."""
    single = [line for line in lines if len(line.text) == 1 and line.text.isalnum()]
    single = [line for line in single if fold_in_place(line.text).isascii()]
    single.sort(key=lambda line: line.middle)
    stacks: list[list[_Placed]] = []
    for line in single:
        for stack in stacks:
            above = stack[-1]
            height = max(above.height, line.height)
            aside = abs(above.left + above.right - line.left - line.right) / 2
            if aside < 0.5 * height and 0.5 * height < line.middle - above.middle < 2.0 * height:
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


def _on_end(quad: Quad, page: PageText) -> bool:
    return 1.5 * _slenderness(quad, page) < 1.0


class _Frame:
    """The page's lines, turned by its skew."""

    def __init__(self, page: PageText) -> None:
        self.width, self.height = page.width, page.height
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


def _breadth(character: str) -> float:
    """Rough advance width relative to a Chinese character."""
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    return 0.3 if character in " .,:;'|!" else 0.55


def _x_of(line: _Placed, folded: str, position: int) -> float:
    """Where the character at `position` begins, from the widths of those before it."""
    breadths = [_breadth(c) for c in line.text] or [1.0]
    total = sum(breadths) or 1.0
    return line.left + (line.right - line.left) * sum(breadths[:position]) / total


def _runs(line: _Placed, labels: dict[str, int], letters: bool) -> list[_Run]:
    """Stretches of letters and digits that could be (a part of) a code."""
    folded = fold_in_place(line.text)
    blanked = folded
    for label in sorted(labels, key=len, reverse=True):
        blanked = blanked.replace(label, "\n" * len(label))
    for pattern in (_NUMBER_SIGN, _BRACKETED):
        blanked = pattern.sub(lambda m: "\n" * len(m.group()), blanked)
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
            if len(code) >= 2 and digits >= 0.4 * len(code):
                runs.append(_Run(line, code, start, end, folded))
    return runs


def _lengths(grammars: Sequence[CodeGrammar]) -> set[int]:
    return {n for g in grammars for n in range(g.shortest, g.longest + 1)}


def _continues(first: _Run, second: _Run, grammars: Sequence[CodeGrammar]) -> bool:
    """Whether the second run may be the rest of a code that begins with the first."""
    lengths = _lengths(grammars)
    if first.line.index == second.line.index:
        return False
    together = len(first.code) + len(second.code)
    if together > max(lengths) or len(first.code) in lengths or len(second.code) in lengths:
        return False
    if min(len(first.code), len(second.code)) < 3:
        return False
    ends = first.end >= len(first.folded.rstrip()) - 1
    begins = not second.folded[: second.start].strip()
    if not (ends and begins):
        return False
    height = max(first.line.height, second.line.height)
    if not 0.5 < first.line.height / second.line.height < 2.0:
        return False
    drop = second.line.middle - first.line.middle
    gap = second.left - first.right
    same_row = abs(drop) < 0.6 * height and -0.5 * height < gap < 4 * height
    next_row = 0.6 * height <= drop < 2.5 * height and second.left < first.right
    # On one row a gap may have swallowed characters; on two, the lengths must add up.
    return (same_row and together >= min(lengths) - 4) or (next_row and together in lengths)


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
                        + (6.0 if checked else -2.0 if checked is False else 0.0)
                        + (2.0 if announced else 0.0)
                        - 2.0 * (len(run) - length)
                        - 3.0 * sum(a != b for a, b in zip(text, window, strict=True))
                    )
                    if best is None or worth > best[0]:
                        best = (worth, text, grammar, checked)
                    break
    return None if best is None else best[1:]


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
    label, label_worth = _label_of(frame, group[0], labels)
    alien = _alien(frame, group[0], aliens, label_worth)
    fitted = _as_code(run, grammars, label)
    code, grammar, checked = fitted if fitted is not None else (None, None, None)
    lengths = _lengths(grammars)
    away = min(abs(len(run) - n) for n in lengths)
    if fitted is not None:
        surplus = len(run) - len(fitted[0])
        form = 4.0 + (3.0 if checked and not surplus else -1.0 if checked is False else 0.0)
        form -= 1.5 * surplus
    else:
        form = max(2.5 - 0.35 * away, -2.0)
    score = form + label_worth - (6.0 if alien else 0.0) - 0.5 * min(len(group) - 1, 2)
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
    )


def _strips(frame: _Frame, group: tuple[_Run, ...], missing: int) -> tuple[Strip, ...]:
    """The crops of a place: one a row. `missing` characters may have been cut off."""
    strips: list[Strip] = []
    rows: list[list[_Run]] = [[group[0]]]
    for part in group[1:]:
        above = rows[-1][-1].line
        if abs(part.line.middle - above.middle) < 0.6 * max(above.height, part.line.height):
            rows[-1].append(part)
        else:
            rows.append([part])
    for row in rows:
        first, last = row[0], row[-1]
        quad = _spanned(frame.quads[first.line.index], frame.quads[last.line.index])
        height = max(part.line.height for part in row)
        advance = (last.right - first.left) / max(sum(len(p.code) for p in row), 1) / height
        beyond = 0.6 + 1.15 * missing * advance
        starts = not first.folded[: first.start].strip()
        ends = last.end >= len(last.folded.rstrip()) - 1
        # Text before the code is left out where it is much longer than the code itself.
        keep_from = max(first.left - 4.0 * height, first.line.left)
        keep_to = min(last.right + 2.5 * height, last.line.right)
        width = last.line.right - first.line.left
        if width > 0 and (keep_from > first.line.left or keep_to < last.line.right):
            quad = _part_of(
                quad,
                (keep_from - first.line.left) / width,
                (keep_to - first.line.left) / width,
            )
        strips.append(Strip(quad, beyond if starts else 0.3, beyond if ends else 0.3))
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


def _label_in(text: str, labels: dict[str, int]) -> tuple[str, int, int] | None:
    """(label, start, end) of the strongest label in a folded text, read tolerantly."""
    for label in sorted(labels, key=lambda x: labels[x]):
        at = text.rfind(label)
        if at >= 0:
            return label, at, at + len(label)
        if len(label) > _SHORT_LABEL and len(text) >= len(label) - 1:
            match = fuzz.partial_ratio_alignment(label, text, score_cutoff=74.0)
            if match is not None and match.dest_end - match.dest_start >= len(label) - 1:
                return label, match.dest_start, match.dest_end
    return None


def _strength(rank: int) -> float:
    """What a label is worth: the schema lists the telling ones first."""
    return max(5.0 - 0.25 * rank, 2.5)


def _label_of(frame: _Frame, run: _Run, labels: dict[str, int]) -> tuple[str | None, float]:
    """The label that announces the run, and what that is worth."""
    best: tuple[str | None, float] = (None, 0.0)

    def offer(label: str, worth: float) -> None:
        nonlocal best
        if worth > best[1]:
            best = (label, worth)

    own = _label_in(run.folded[: run.start], labels)
    if own is not None:
        distance = len(run.folded[own[2] : run.start].strip(" :.;,#"))
        offer(own[0], _strength(labels[own[0]]) - 0.4 * min(distance, 10))
    for line in frame.lines:
        if line.index == run.line.index:
            continue
        place = _relation(line, run)
        if place is None:
            continue
        folded = fold_in_place(line.text)
        found = _label_in(folded, labels)
        if found is None:
            continue
        # A label within a longer text announces what follows it there, not what stands around.
        rest = len(folded[found[2] :].strip(" :.;,#")) + 0.5 * found[1]
        offer(found[0], _strength(labels[found[0]]) * place - 0.4 * min(rest, 10))
    return best


def _relation(line: _Placed, run: _Run) -> float | None:
    """How well a line stands to be the label of a run: on its left, above or under it."""
    height = max(run.line.height, line.height)
    across = run.line.middle - line.middle
    if abs(across) < 0.7 * height and line.right <= run.left + height:
        return 0.95 if run.left - line.right < 12 * height else 0.7
    overlap = min(line.right, run.right) - max(line.left, run.left)
    if overlap > 0 or abs(line.left - run.left) < 2 * height:
        if 0.5 * height < across < 2.4 * height:
            return 0.7
        if -2.4 * height < across < -0.5 * height:
            return 0.5
    return None


def _alien(frame: _Frame, run: _Run, aliens: set[str], label_worth: float) -> bool:
    """Whether the nearest label on the left is another field's."""
    before = run.folded[: run.start]
    found = [label for label in aliens if len(label) > 1 and label in before]
    if found and label_worth < 4.0:
        return True
    if label_worth >= 2.0 or before.strip(" :."):
        return False
    lefts = [
        line
        for line in frame.lines
        if line.index != run.line.index
        and (_relation(line, run) or 0.0) >= 0.7
        and line.right <= run.left + line.height
    ]
    if not lefts:
        return False
    nearest = fold_in_place(max(lefts, key=lambda line: line.right).text).strip(" :.")
    return any(len(label) > 1 and nearest.endswith(label) for label in aliens)


def _announcing(frame: _Frame, labels: dict[str, int]) -> list[tuple[str, _Placed]]:
    """Lines that hold a label, as (label, the part of the line that the label takes)."""
    found = []
    for line in frame.lines:
        folded = fold_in_place(line.text)
        match = _label_in(folded, labels)
        if match is None or (len(match[0]) < _SHORT_LABEL and match[1] > 2):
            continue
        label, start, end = match
        part = replace(line, left=_x_of(line, folded, start), right=_x_of(line, folded, end))
        found.append((label, part))
    return sorted(found, key=lambda item: labels[item[0]])


def _beside(frame: _Frame, label: str, line: _Placed, grammars: Sequence[CodeGrammar]) -> Spot:
    longest = max(g.longest for g in grammars)
    reach = _ADVANCE * line.height * (longest + 3) + 2 * line.height
    return Spot(label, (_row(frame, line, line.right, 0.0, reach, 0.75),))


def _under(
    frame: _Frame, label: str, line: _Placed, pitch: float, grammars: Sequence[CodeGrammar]
) -> Spot:
    longest = max(g.longest for g in grammars)
    reach = _ADVANCE * line.height * (longest / 2 + 2)
    rows = (_row(frame, line, line.left, n * pitch, reach, 0.5) for n in (1, 2))
    return Spot(label, tuple(rows))


def _row(
    frame: _Frame, line: _Placed, left: float, down: float, reach: float, half: float
) -> Strip:
    """A row `down` line heights under a line, `half` of one above and below its middle."""
    middle = line.middle + down * line.height
    top, bottom = middle - half * line.height, middle + half * line.height
    return Strip(frame.box(left, top, left + reach, bottom), 0.2, 0.2)

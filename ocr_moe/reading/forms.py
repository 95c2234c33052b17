"""Labelled forms: where the labels of a schema stand on a page, and which text belongs to each.

Works on `ocr_moe.reading.layout` pieces only.  A label may be letter-spaced over several boxes, glued
to its value, misread by a character, or have lost one; a value may stand right of its label or under
it, wrap over lines, or stand a little higher than its label.

Numbers that no figure follows are judgements: at half of them and at twice, not one of 1,100 verified
cells of 60 synthetic samples and 80 photographed licences comes out differently. `[half −4]` says that
at half of it four cells fewer are right, of 1,015, and `±0` that some differ but as many are right.
`benchmarks/thresholds.py` moves them anew.
"""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from ocr_moe.folds import HAN, fold_label, fold_label_glyph
from ocr_moe.reading.layout import Glyph, PageLayout, Piece, Row
from ocr_moe.schema import forms_of

Place = Literal["right", "below", "column"]

WEAK = 100
"""Rank of the first weak label."""
SURE = 0.75
"""Quality from which a label is certain enough that others are held against it. [1.25 ±0, twice −14:
no label is as certain]"""
_EDGE = 1.5
"""How far apart the left edges of one column may be, in text heights. [twice ±0]"""
_ONE_LINE = 0.5
"""How far from level the pieces of one line may stand, in text heights. [half ±0]"""
_WORD = re.compile(r"[A-Za-z]{4}")
_BREAKS = set(" \t:;,.、。|/()[]*-_")


@dataclass(frozen=True)
class Label:
    """A label found on the page."""

    name: str | None
    """The field it announces; None for a label that only ends other values."""
    text: str
    quality: float
    """1 as declared, less where characters differ or are missing, or its place is unusual."""
    rank: int
    """Position among the field's labels."""
    anchored: bool
    """Whether it begins a box or follows a break."""
    glyphs: tuple[Glyph, ...]
    lines: tuple[tuple[Glyph, ...], ...] = ()
    """Its lines from top to bottom, where it stands on several; none for a label on one."""

    @property
    def u0(self) -> float:
        return self.glyphs[0].u0

    def end_at(self, v: float) -> float:
        """Where it ends on the line that is nearest to a height of the page."""
        if not self.lines:
            return self.u1
        line = min(self.lines, key=lambda line: abs(line[0].v - v))
        return max(glyph.u1 for glyph in line)

    def rise_to(self, v: float) -> float:
        """How far from level with it a height of the page is: 0 anywhere between its lines."""
        if not self.lines:
            return abs(self.v - v)
        heights = [statistics.fmean(glyph.v for glyph in line) for line in self.lines]
        return max(min(heights) - v, v - max(heights), 0.0)

    @cached_property
    def foot(self) -> float:
        """The height of its last line."""
        if not self.lines:
            return self.v
        return statistics.fmean(glyph.v for glyph in self.lines[-1])

    @cached_property
    def u1(self) -> float:
        return max(glyph.u1 for glyph in self.glyphs)

    @cached_property
    def height(self) -> float:
        return statistics.median(glyph.height for glyph in self.glyphs)

    @cached_property
    def v(self) -> float:
        return statistics.fmean(glyph.v for glyph in self.glyphs)


@dataclass
class Block:
    """What stands beside or under a label."""

    label: Label
    place: Place
    lines: list[list[Piece]] = field(default_factory=list)
    distance: float = 0.0
    """From the label to the value, in text heights."""

    @property
    def pieces(self) -> list[Piece]:
        return [piece for line in self.lines for piece in line]


@dataclass(frozen=True)
class Form:
    """Labels, their blocks, and what stands in a value column without a label."""

    labels: tuple[Label, ...]
    blocks: Mapping[int, tuple[Block, ...]]
    """Index of the label → what may be its value, the likelier first; none for a bare label."""
    orphans: tuple[Block, ...]
    """Lines without a label at the left edge of a column of values; `label` is the one above."""


def read_form(
    layout: PageLayout,
    vocabulary: Mapping[str | None, Sequence[str]],
    weak: Mapping[str, Sequence[str]] | None = None,
    multiline: Collection[str] = (),
    claims: Callable[[Collection[str], str], bool] | None = None,
    settle: Callable[[Sequence[Label]], Sequence[Label]] | None = None,
    allows: Callable[[Collection[str], str], bool] | None = None,
) -> Form:
    """Find the labels of `vocabulary` (field name, or None for other labels, → its labels).

    `weak` labels stand for a field only where it has no better one; their rank is WEAK and more.
    Only the values of `multiline` fields go on over further lines.  `claims` tells whether a line
    looks like the value of one of some fields, `allows` whether it may be one of a kind that nothing
    tells by its looks; they are asked about fields whose label is not found.
    `settle` says whose a label is, where the words alone do not tell.
    """
    words: list[Word] = [
        (fold_label(form), name, rank)
        for name, labels in vocabulary.items()
        for rank, label in enumerate(labels)
        for form in forms_of(label)
    ]
    for field_name, weaker in (weak or {}).items():
        words += [(fold_label(word), field_name, WEAK + rank) for rank, word in enumerate(weaker)]
    words = sorted((w for w in words if w[0]), key=lambda w: (-len(w[0]), w[1] is None, w[2]))
    labels = _torn_over_lines(layout, words)
    used = {glyph for label in labels for glyph in label.glyphs}
    labels += [label for row in layout.rows for label in _labels_of_row(row, words, used)]
    if settle is not None:
        labels = list(settle(labels))
    labels = _settle(_unqualified(layout, labels))
    labels = _joined(layout, labels)
    labels += _damaged(layout, words, labels)
    found = {label.name for label in labels}
    unlabelled = {name for name in vocabulary if name is not None and name not in found}
    return _assign(
        layout,
        labels,
        multiline,
        lambda text: bool(claims and claims(unlabelled, text)),
        lambda text: allows is None or allows(unlabelled, text),
    )


Word = tuple[str, str | None, int]

_FORGIVEN = ((7, 2), (4, 1))
"""(characters, how many of them may be misread) of labels that are that long and longer. [one in
labels of two −7, two in labels of three −14, of six −2, one in labels of eight ±0]"""
_MOST_FORGIVEN = max(errors for _, errors in _FORGIVEN)
_MISREAD = 0.5
"""Quality that a label would lose if all of it was misread; it loses the share that was."""


def _labels_of_row(
    row: Row, words: Sequence[Word], used: Collection[Glyph] = frozenset()
) -> list[Label]:
    glyphs = [g for piece in row for g in piece.glyphs if g.char != " "]
    firsts = {piece.glyphs[0] for piece in row}
    starts = [index for index, glyph in enumerate(glyphs) if glyph in firsts]
    string = "".join(fold_label_glyph(g.char) for g in glyphs)
    # Of its first characters, one more than may be wrong, one is right: few words are near a box.
    heads = {
        (offset, char)
        for start in starts
        for offset, char in enumerate(string[start : start + _MOST_FORGIVEN + 1])
    }
    near = [
        word for word in words if not heads.isdisjoint(enumerate(word[0][: _MOST_FORGIVEN + 1]))
    ]
    taken = [glyph in used for glyph in glyphs]
    found: list[Label] = []
    for exact in (True, False):
        for word, name, rank in words if exact else near:
            places = _exact(string, word) if exact else _near(string, word, starts)
            for start, errors in places:
                end = start + len(word)
                if any(taken[start:end]):
                    continue
                quality, anchored = _standing(glyphs, firsts, start, end)
                if quality <= 0.0:
                    continue
                quality *= 1.0 - _MISREAD * errors / len(word)
                end = _numbered(glyphs, end)
                start = _with_other_tongue(glyphs, start, taken)
                taken[start:end] = [True] * (end - start)
                found.append(Label(name, word, quality, rank, anchored, tuple(glyphs[start:end])))
    return found


def _with_other_tongue(glyphs: Sequence[Glyph], start: int, taken: Sequence[bool]) -> int:
    """Where a label behind a stroke begins: with its box, if what stands there in another language could
    not be read (Antoridad/Authority)."""
    at = start - 1
    if at < 0 or glyphs[at].char != "/" or glyphs[at].line != glyphs[start].line:
        return start
    while at > 0 and glyphs[at - 1].line == glyphs[start].line:
        at -= 1
    words = "".join(glyph.char for glyph in glyphs[at : start - 1])
    letters = bool(words) and all(char.isalpha() or char in "/.'’-" for char in words)
    return at if letters and not any(taken[at:start]) else start


_ENTRY_NUMBER = re.compile(r"[(（\[]\d{1,2}[)）\]]")


def _numbered(glyphs: Sequence[Glyph], end: int) -> int:
    """Where a label ends with the number of its entry, if that stands by itself: Surname/Nom (1)."""
    rest = [glyph for glyph in glyphs[end:] if glyph.line == glyphs[end - 1].line]
    number = _ENTRY_NUMBER.match("".join(glyph.char for glyph in rest))
    if number is None:
        return end
    last, following = rest[number.end() - 1], rest[number.end() :]
    apart = not following or following[0].offset > last.offset + 1
    return end + number.end() if apart else end


def _exact(string: str, word: str) -> list[tuple[int, int]]:
    places = []
    at = string.find(word)
    while at >= 0:
        places.append((at, 0))
        at = string.find(word, at + 1)
    return places


def _near(string: str, word: str, starts: Sequence[int]) -> list[tuple[int, int]]:
    """(start, wrong characters): at the start of a box, as many wrong as are forgiven."""
    allowed = next((errors for length, errors in _FORGIVEN if len(word) >= length), 0)
    if not allowed:
        return []
    places = []
    for start in starts:
        window = string[start : start + len(word)]
        if len(window) == len(word):
            errors = sum(a != b for a, b in zip(window, word, strict=True))
            if 0 < errors <= allowed:
                places.append((start, errors))
    return places


# Where a label stands: its gap in text heights, its length in characters, and its quality there.
_LETTER_GAP = 7.0
"""Widest gap between the letters of a spaced label. [half and 0.8 +1, 1.25 −1, twice −2]"""
_LONG = 4
"""Length from which a label is told within other words, too. [at 2 ±0, at 5 and 8 +1]"""
_AFTER_BREAK = 0.9
"""Of a label within a box, after a space or a mark. [1.25 and twice ±0]"""
_WITHIN_WORDS = 0.6
"""Of a long label in the middle of words. [half −1, twice −1]"""
_GLUED_LONG = 0.97
"""Factor for a long label that is glued to what follows: near certain all the same. [half −1, twice
−1; at half 16 wrong cells more are among the surest three quarters]"""
_GLUED_SHORT = 0.85
"""The same for a short one: a guess for two letters."""


def _standing(
    glyphs: Sequence[Glyph], firsts: set[Glyph], start: int, end: int
) -> tuple[float, bool]:
    """How well a word stands as a label between its neighbours, and whether it begins something."""
    first, last = glyphs[start], glyphs[end - 1]
    before = glyphs[start - 1] if start else None
    after = glyphs[end] if end < len(glyphs) else None
    for left, right in zip(glyphs[start:end], glyphs[start + 1 : end], strict=False):
        if right.u0 - left.u1 > _LETTER_GAP * max(left.height, right.height):
            return 0.0, False
    colon = after is not None and after.char == ":"
    glued_after = after is not None and after.line == last.line and after.offset == last.offset + 1
    if glued_after and after is not None and _letter(last.char) and _letter(after.char):
        return 0.0, False
    anchored, quality = True, 1.0
    if before is not None and first not in firsts:
        glued = before.line == first.line and before.offset + 1 == first.offset
        if glued and _letter(first.char) and _letter(before.char):
            return 0.0, False
        if not glued or before.char in _BREAKS:
            quality = _AFTER_BREAK
        elif end - start >= _LONG:
            anchored, quality = False, _WITHIN_WORDS
        else:
            return 0.0, False
    spaced = any(glyph in firsts for glyph in glyphs[start + 1 : end])
    if after is None or colon or spaced or not glued_after:
        return quality, anchored
    return quality * (_GLUED_LONG if end - start >= _LONG else _GLUED_SHORT), anchored


def _letter(char: str) -> bool:
    return char.isascii() and char.isalnum()


_NEXT_LINE_OF_LABEL = (0.6, 2.2)
"""From one line of a label down to the next, in text heights."""
_LEAST_ON_A_LINE = 2
"""Letters that a line of a label has at least …"""
_MOST_LINES = 3
"""… and how many lines it has at most."""


def _torn_over_lines(layout: PageLayout, words: Sequence[Word]) -> list[Label]:
    """Labels that are printed over two or three lines, one below the other: 户主或与 | 户主关系."""
    pieces = [piece for row in layout.rows for piece in row]
    texts = [fold_label(piece.text) for piece in pieces]
    whole = {word for word, _, _ in words}
    beginning: dict[str, list[Word]] = {}
    for each in words:
        if len(each[0]) >= 2 * _LEAST_ON_A_LINE:
            beginning.setdefault(each[0][:_LEAST_ON_A_LINE], []).append(each)
    found: list[Label] = []
    used: set[Glyph] = set()
    for piece, text in zip(pieces, texts, strict=True):
        if text in whole or piece.glyphs[0] in used:
            continue
        for word, name, rank in beginning.get(text[:_LEAST_ON_A_LINE], ()):
            if len(text) >= len(word) or not word.startswith(text):
                continue
            further = _further_lines(piece, word[len(text) :], pieces, texts)
            lines = (_letters(piece.glyphs), *(further or ()))
            glyphs = tuple(glyph for line in lines for glyph in line)
            if further is not None and used.isdisjoint(glyphs):
                used.update(glyphs)
                found.append(Label(name, word, 1.0, rank, True, glyphs, lines))
                break
    return found


def _letters(glyphs: Sequence[Glyph]) -> tuple[Glyph, ...]:
    return tuple(glyph for glyph in glyphs if glyph.char != " ")


def _further_lines(
    above: Piece, rest: str, pieces: Sequence[Piece], texts: Sequence[str], lines: int = 1
) -> tuple[tuple[Glyph, ...], ...] | None:
    """The lines below a label's first ones on which the rest of it stands."""
    for piece, text in zip(pieces, texts, strict=True):
        if not _stacked(above.glyphs, piece.glyphs):
            continue
        letters = _letters(piece.glyphs)
        if text.startswith(rest) and (text == rest or letters[len(rest)].char in _BREAKS):
            return (letters[: len(rest)],)
        if len(text) >= _LEAST_ON_A_LINE and rest.startswith(text) and lines + 1 < _MOST_LINES:
            further = _further_lines(piece, rest[len(text) :], pieces, texts, lines + 1)
            if further is not None:
                return (letters, *further)
    return None


def _stacked(above: Sequence[Glyph], below: Sequence[Glyph]) -> bool:
    """Whether one run of characters stands right under another: at its left edge, or in its middle."""
    size = max(above[0].height, below[0].height)
    least, most = _NEXT_LINE_OF_LABEL
    if not least * size < below[0].v - above[0].v <= most * size:
        return False
    left = abs(above[0].u0 - below[0].u0)
    middle = abs(above[0].u0 + above[-1].u1 - below[0].u0 - below[-1].u1) / 2
    return min(left, middle) <= _EDGE * size


_SAME_LABEL = 2.0
"""Gap up to which two languages of a label stand beside each other, in text heights."""


def _joined(layout: PageLayout, labels: list[Label]) -> list[Label]:
    """Labels in two languages, side by side or one below the other, as one.

    The second is one of the same field, or one that the schema declares as no field's; a label with a
    value of its own beside it stays one.
    """
    used = {glyph for label in labels for glyph in label.glyphs}
    rest = [
        piece
        for row in layout.rows
        for piece in row
        if any(glyph not in used and glyph.char not in _BREAKS for glyph in piece.glyphs)
    ]
    gone: set[int] = set()
    grown = list(labels)
    for index, first in enumerate(labels):
        if first.name is None or index in gone:
            continue
        for other, second in enumerate(labels):
            if other in (index, *gone) or not _one_label(first, second):
                continue
            beside = _side_by_side(first, second)
            if not beside and not (
                _stacked(first.glyphs, second.glyphs)
                and not _has_value(first, second, rest, labels)
            ):
                continue
            gone.add(other)
            own = grown[index]
            lines = own.lines or (own.glyphs,)
            *upper, last = lines
            lines = (*upper, (*last, *second.glyphs)) if beside else (*lines, second.glyphs)
            first = grown[index] = replace(
                own,
                glyphs=(*own.glyphs, *second.glyphs),
                lines=lines if len(lines) > 1 else (),
                quality=max(own.quality, second.quality),
            )
    return [label for index, label in enumerate(grown) if index not in gone]


def _one_label(first: Label, second: Label) -> bool:
    """Whether two labels may be one in two languages."""
    if second.name is not None and second.name != first.name:
        return False
    declared = second.name is not None and first.rank == second.rank and first.text != second.text
    return declared or bool(HAN.search(first.text)) != bool(HAN.search(second.text))


def _side_by_side(first: Label, second: Label) -> bool:
    size = max(first.height, second.height)
    gap = second.u0 - first.u1
    level = abs(first.v - second.v) <= _ONE_LINE * size
    return level and -size <= gap <= _SAME_LABEL * size


_NEARER = 0.25
"""By how much a value stands nearer to the lower of two labels whose own it is, in text heights."""


def _has_value(above: Label, label: Label, rest: Sequence[Piece], labels: Sequence[Label]) -> bool:
    """Whether a text stands on a label's line, rather than on that of the one above, right of it and
    before the next label.

    Beside a label in Latin letters under one in Han characters, Han characters go on with the value of
    the upper one: the second line of an address, beside Address.
    """
    translated = bool(HAN.search(above.text)) and not HAN.search(label.text)
    level = [
        piece
        for piece in rest
        if abs(piece.v - label.v) <= _ONE_LINE * max(piece.height, label.height)
        and not (translated and HAN.search(piece.text))
        and abs(piece.v - label.v) + _NEARER * label.height < abs(piece.v - above.v)
        and piece.u0 >= label.u1 - _OVERLAP * label.height
    ]
    ends = [
        other.u0
        for other in labels
        if other is not label
        and other.u0 >= label.u1
        and abs(other.v - label.v) <= _SAME_ROW * max(other.height, label.height)
    ]
    return any(piece.u0 < min(ends, default=math.inf) for piece in level)


def _settle(labels: list[Label]) -> list[Label]:
    """Words within a text are labels only of fields that have no better one."""
    standing = {label.name for label in labels if label.anchored}
    return [
        label
        for label in labels
        if label.anchored or (label.name is not None and label.name not in standing)
    ]


_QUALIFIES = re.compile(
    r"(?<![A-Za-z])(?:incl?|inclu\w*|excl?|exclu\w*|inkl|exkl|of|in|with|without|before|after|plus|less)"
    r"[^A-Za-z:]*$",
    re.IGNORECASE,
)
"""Words before a noun that says more of the one before them: Total incl. GST, GST included in total."""


def _unqualified(layout: PageLayout, labels: list[Label]) -> list[Label]:
    """Labels without those that only say more of the label before them in the same phrase."""
    held = Counter(label.glyphs[0].line for label in labels)
    texts: dict[int, dict[int, str]] = {line: {} for line, count in held.items() if count > 1}
    for glyph in (g for piece in layout.pieces if texts for g in piece.glyphs):
        if glyph.line in texts:
            texts[glyph.line][glyph.offset] = glyph.char
    kept: list[Label] = []
    begun: dict[int, Label] = {}
    for label in sorted(labels, key=lambda each: (each.glyphs[0].line, each.glyphs[0].offset)):
        first = label.glyphs[0]
        before = begun.get(first.line)
        if before is not None and not label.lines:
            start, line = before.glyphs[-1].offset + 1, texts[first.line]
            between = "".join(line.get(at, " ") for at in range(start, first.offset))
            if _QUALIFIES.search(between):
                continue
        begun[first.line] = label
        kept.append(label)
    return kept


@dataclass(frozen=True)
class _Column:
    """Labels that stand under one another, justified on both sides."""

    u0: float
    u1: float
    top: float
    bottom: float


def _columns(labels: Sequence[Label], height: float, least: int = 2) -> list[_Column]:
    groups: list[list[Label]] = []
    for label in sorted((lb for lb in labels if lb.quality >= SURE), key=lambda lb: lb.u0):
        for group in groups:
            if abs(statistics.median(g.u0 for g in group) - label.u0) < _EDGE * height:
                group.append(label)
                break
        else:
            groups.append([label])
    return [
        _Column(
            statistics.median(g.u0 for g in group),
            statistics.median(g.u1 for g in group),
            min(g.v for g in group),
            max(g.v for g in group),
        )
        for group in groups
        if len(group) >= least
    ]


_REACH = 18.0
"""How far above and below its column a damaged label is sought, in text heights: a few rows."""
_REMAINS = 0.4
"""Quality of what is left of a label, if nothing of it was … [half and 0.8 ±0]"""
_WHOLE = 0.2
"""… and how much more, if all of it was."""
_APART = 0.9
"""Quality of a label whose two letters are not level."""
_NOT_LEVEL = 1.3
"""How far from level they may be, in text heights."""


def _damaged(layout: PageLayout, words: Sequence[Word], labels: Sequence[Label]) -> list[Label]:
    """Labels that lost or changed a letter, or whose letters are not level, told by their column."""
    known = {label.name for label in labels if label.rank < WEAK}
    used = {glyph for label in labels for glyph in label.glyphs}
    firsts = {piece.glyphs[0] for piece in layout.pieces}
    found: list[Label] = []
    for column in _columns(labels, layout.height):
        slack, reach = _EDGE * layout.height, _REACH * layout.height
        free = [
            g
            for piece in layout.pieces
            for g in piece.glyphs
            if g not in used
            and g.char != " "
            and column.u0 - slack <= (g.u0 + g.u1) / 2 <= column.u1 + slack
            and column.top - reach <= g.v <= column.bottom + reach
        ]
        # Whole letters first: half a label must not take what belongs to another.
        for whole in (True, False):
            for word, name, rank in words:
                if name is None or name in known or rank >= WEAK or word.isascii():
                    continue
                match = _match_damaged(word, free, firsts, column, slack, whole)
                if match is not None:
                    quality, glyphs = match
                    found.append(Label(name, word, quality, rank, True, glyphs))
                    known.add(name)
                    free = [g for g in free if g not in glyphs]
    return found


def _match_damaged(
    word: str,
    free: Sequence[Glyph],
    firsts: set[Glyph],
    column: _Column,
    slack: float,
    whole: bool,
) -> tuple[float, tuple[Glyph, ...]] | None:
    """Quality and glyphs of a label of this column: both its ends (`whole`), or what is left of it."""
    if whole:
        if len(word) == 2:
            return _torn(word, free, firsts, column, slack)
        return _pierced(word, free, column, slack) if len(word) >= _LONG else None
    fewest = _fewest_left(len(word))
    for index, glyph in enumerate(free):
        if glyph not in firsts:
            continue
        step = (column.u1 - column.u0 - (glyph.u1 - glyph.u0)) / max(len(word) - 1, 1)
        for kept in range(len(word) - 1, fewest - 1, -1):
            for part, place in ((word[-kept:], len(word) - kept), (word[:kept], 0)):
                run = free[index : index + kept]
                if "".join(g.char for g in run) != part or any(g.line != glyph.line for g in run):
                    continue
                justified = abs(glyph.u0 - column.u0 - place * step) <= slack
                # What is glued to half a label is more likely a word than a value.
                alone = sum(g.line == glyph.line for g in free) == kept
                if justified and (place or alone):
                    return _REMAINS + _WHOLE * kept / len(word), tuple(run)
    return None


def _fewest_left(letters: int) -> int:
    """Of how many letters a damaged label must still have: one may be lost, of six and more two; of
    three and fewer one is enough, for their place in the column tells the rest. [one of two letters
    only −1; one of six letters and fewer ±0]"""
    if letters <= 3:
        return 1
    return letters - 1 if letters <= 5 else letters - 2


def _pierced(
    word: str, free: Sequence[Glyph], column: _Column, slack: float
) -> tuple[float, tuple[Glyph, ...]] | None:
    """A spaced label of which one letter between the first and the last was not read."""
    for head in free:
        if head.char != word[0] or abs(head.u0 - column.u0) > slack:
            continue
        step = (column.u1 - column.u0 - (head.u1 - head.u0)) / (len(word) - 1)
        found = [head]
        for place, char in enumerate(word[1:], start=1):
            found += [
                glyph
                for glyph in free
                if glyph.char == char
                and abs(glyph.u0 - column.u0 - place * step) <= slack
                and abs(glyph.v - head.v) <= _NOT_LEVEL * max(head.height, glyph.height)
            ][:1]
        if len(found) == len(word) - 1 and found[-1].char == word[-1]:
            return _REMAINS + _WHOLE * len(found) / len(word), tuple(found)
    return None


def _torn(
    word: str, free: Sequence[Glyph], firsts: set[Glyph], column: _Column, slack: float
) -> tuple[float, tuple[Glyph, ...]] | None:
    """A label of two letters that stand apart and not level."""
    heads = [g for g in free if g.char == word[0] and g in firsts and abs(g.u0 - column.u0) < slack]
    lasts = [
        g for g in free if g.char == word[1] and (g in firsts or abs(g.u1 - column.u1) < slack)
    ]
    for head in heads:
        for last in lasts:
            level = abs(last.v - head.v) <= _NOT_LEVEL * max(head.height, last.height)
            if last.u0 > head.u0 and level:
                return _APART, (head, last)
    return None


def _assign(
    layout: PageLayout,
    labels: Sequence[Label],
    multiline: Collection[str],
    claimed: Callable[[str], bool],
    allowed: Callable[[str], bool],
) -> Form:
    values = _value_pieces(layout, labels)
    blocks: dict[int, Block] = {}
    rest: list[Piece] = []
    anchored: dict[int, list[Piece]] = {}
    for piece in values:
        index = _anchor(piece, labels)
        if index is None:
            rest.append(piece)
        else:
            anchored.setdefault(index, []).append(piece)
    for index, pieces in anchored.items():
        label = labels[index]
        pieces, stray = _near_side(pieces)
        rest += stray
        if any(HAN.search(p.text) for p in pieces):
            # A watermark's web address close to a Chinese value.
            pieces = [p for p in pieces if HAN.search(p.text) or not _WORD.search(p.text)]
        block = Block(label, "right", _lines(pieces))
        start = block.lines[0][0]
        block.distance = max(0.0, (start.u0 - label.end_at(start.v)) / label.height)
        blocks[index] = block
    pieces = [piece for row in layout.rows for piece in row]
    rest = _continue(labels, blocks, rest, multiline, claimed, allowed, pieces)
    under, rest = _below(labels, blocks, rest)
    rest = _further_under(under, rest, multiline, labels)
    orphans = _orphans(layout, labels, blocks, rest)
    found: dict[int, list[Block]] = {}
    for group in (blocks, under):
        for index, block in group.items():
            found.setdefault(index, []).append(block)
    return Form(tuple(labels), {i: tuple(b) for i, b in found.items()}, tuple(orphans))


_FAR_OFF = 6.0
"""From the value's first piece, in text heights, from where on a piece must be on one line with it …
[twice −2]"""
_STRICTLY_LEVEL = 0.35
"""… and how far from level it may stand then. [twice −1]"""


def _near_side(pieces: Sequence[Piece]) -> tuple[list[Piece], list[Piece]]:
    """What begins beside the label, and what stands far off and not on one line with it."""
    first = min(pieces, key=lambda p: p.u0)
    stray = [
        piece
        for piece in pieces
        if piece.u0 - first.u1 > _FAR_OFF * first.height
        and abs(piece.v - first.v) > _STRICTLY_LEVEL * max(piece.height, first.height)
    ]
    return [piece for piece in pieces if piece not in stray], stray


def _value_pieces(layout: PageLayout, labels: Sequence[Label]) -> list[Piece]:
    """What remains of the pieces when the labels are cut out."""
    used = {glyph for label in labels for glyph in label.glyphs}
    values: list[Piece] = []
    for row in layout.rows:
        for piece in row:
            run: list[Glyph] = []
            for glyph in (*piece.glyphs, None):
                if glyph is not None and glyph not in used:
                    run.append(glyph)
                    continue
                while run and run[0].char in " :;,.、。|_":
                    run.pop(0)
                while run and run[-1].char == " ":
                    run.pop()
                if run:
                    values.append(Piece(tuple(run), piece.confidence))
                run = []
    return values


# Which label a piece belongs to, in text heights.
_LEVEL = 0.8
"""How far from its label's baseline a value may stand. [half −3, 0.8 and 1.25 ±0, twice −28]"""
_OVERLAP = 0.6
"""How far the box of a value may reach into that of the label on its left: boxes are generous. [half
−1]"""
_OVERLAP_OF_LABELS = 0.5
"""The same for two labels."""
_SAME_ROW = 0.6
"""How far from level with the value a label may stand that takes it away from one further left."""
_COST_OF_GAP = 0.03
"""What a text height between label and value counts, against one up or down."""


def _anchor(piece: Piece, labels: Sequence[Label]) -> int | None:
    """The label on whose line the piece stands: the level one, the nearest where several are."""
    best: tuple[float, int] | None = None
    for index, label in enumerate(labels):
        size = max(label.height, piece.height)
        end = label.end_at(piece.glyphs[0].v)
        if piece.glyphs[0].u0 < end - _OVERLAP * size:
            continue
        same_line = piece.glyphs[0].line == label.glyphs[-1].line
        rise = label.rise_to(piece.glyphs[0].v) / size
        if rise > _LEVEL and not same_line:
            continue
        blocked = any(
            other is not label
            and other.u0 >= end - _OVERLAP_OF_LABELS * size
            and other.end_at(piece.glyphs[0].v) <= piece.u0 + _OVERLAP * size
            and other.rise_to(piece.glyphs[0].v) <= _SAME_ROW * size
            for other in labels
        )
        if blocked and not same_line:
            continue
        gap = max(0.0, piece.u0 - end) / size
        cost = (0.0 if same_line else rise) + _COST_OF_GAP * gap
        if best is None or cost < best[0]:
            best = (cost, index)
    return None if best is None else best[1]


_ON_TOP = 0.4
"""Share of the narrower of two pieces from which they stand one over the other, not side by side."""


def _lines(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Pieces of one block as lines from top to bottom."""
    lines: list[list[Piece]] = []
    for piece in sorted(pieces, key=lambda p: p.v):
        for line in lines:
            if abs(line[0].v - piece.v) <= _ONE_LINE * max(line[0].height, piece.height) and all(
                min(p.u1, piece.u1) - max(p.u0, piece.u0)
                < _ON_TOP * min(p.u1 - p.u0, piece.u1 - piece.u0)
                for p in line
            ):
                line.append(piece)
                break
        else:
            lines.append([piece])
    return [sorted(line, key=lambda p: p.u0) for line in lines]


def _continue(
    labels: Sequence[Label],
    blocks: dict[int, Block],
    rest: Sequence[Piece],
    multiline: Collection[str],
    claimed: Callable[[str], bool],
    allowed: Callable[[str], bool],
    pieces: Sequence[Piece],
) -> list[Piece]:
    """Give lines that stand under a block's last line, at its left edge, to the block."""
    left: list[Piece] = []
    right = max((p.u1 for block in blocks.values() for p in block.pieces), default=1.0)
    for piece in sorted(rest, key=lambda p: p.v):
        best: tuple[float, Block] | None = None
        for block in blocks.values():
            cost = _continuation(piece, block, labels, multiline, right, claimed, allowed, pieces)
            if cost is not None and (best is None or cost < best[0]):
                best = (cost, block)
        if best is None:
            left.append(piece)
            continue
        last = best[1].lines[-1]
        if _beside(piece, last):
            last.append(piece)
        else:
            best[1].lines.append([piece])
    return left


_WORD_GAP = (-0.5, 4.0)
"""From the end of a line to a piece that goes on with it, in text heights: boxes may overlap a
little, and four heights are a wide space between words. [twice the second ±0]"""


def _beside(piece: Piece, line: Sequence[Piece]) -> bool:
    size = max(piece.height, line[0].height)
    gap = piece.u0 - line[-1].u1
    least, most = _WORD_GAP
    return abs(piece.v - line[-1].v) <= _ONE_LINE * size and least * size <= gap <= most * size


# What may be the next line of a value, in text heights.
_ALIKE = (0.6, 1.67)
"""Height of the line, in heights of the one above. [1.25 of the first −1, twice −12; half of the
second −10]"""
_PITCH = (0.3, 2.3)
"""Down to it. [twice the first ±0; half of the second −1, twice ±0]"""
_INDENT = 2.6
"""How far from the value's left edge it may begin: an indent of two characters and a bit … [twice
±0]"""
_INDENT_GLUED = 5.0
"""… and beyond the label's end, where the value is glued to it and its true edge is not known. [half
±0]"""
_MARGIN = 2.5
"""How close to the right edge of all values a line ends that is full, and so goes on."""
_NEXT_FIELD = 0.75
"""Share of the distance to the next label from which a line stands where the next field would. [half
−4, 0.8 ±0, 1.25 +1, twice −2]"""
_COST_OF_INDENT = 0.1
"""What a text height of indent counts, against one down."""


def _continuation(
    piece: Piece,
    block: Block,
    labels: Sequence[Label],
    multiline: Collection[str],
    right: float,
    claimed: Callable[[str], bool],
    allowed: Callable[[str], bool],
    pieces: Sequence[Piece],
) -> float | None:
    """The cost of taking a piece for the next line of a block, or None where it cannot be.

    `right` is how far the values of the form reach.
    """
    last = block.lines[-1]
    size = max(piece.height, last[0].height)
    drop = (piece.v - last[0].v) / size
    edge = min((line[0].u0 for line in block.lines), key=lambda u: abs(u - piece.u0))
    lowest, tallest = _ALIKE
    if not lowest <= piece.height / last[0].height <= tallest or _foreign(piece, block, labels):
        return None
    if not _beside(piece, last):
        aligned = abs(piece.u0 - edge) <= _INDENT * size or (
            block.distance == 0.0
            and block.label.u0 - size <= piece.u0 <= block.label.u1 + _INDENT_GLUED * size
        )
        least, most = _PITCH
        if block.label.lines:  # the second line of the label stands between
            most += (block.label.foot - block.label.lines[0][0].v) / size
        if block.label.name not in multiline or not aligned or not least < drop <= most:
            return None
        han = any(HAN.search(p.text) for p in last)
        if han and not HAN.search(piece.text) and _WORD.search(piece.text):
            return None
        far = drop * size > _NEXT_FIELD * _pitch(block.label, labels)
        full = last[-1].u1 >= right - _MARGIN * size
        anothers = claimed(piece.text) or (
            not full and (allowed(piece.text) or _announced(piece, block, pieces))
        )
        if len(block.lines) == 1 and far and anothers:
            # As far away as the next field: a value whose label was not read.
            return None
    return abs(drop) + abs(piece.u0 - edge) / size * _COST_OF_INDENT


def _announced(piece: Piece, block: Block, pieces: Sequence[Piece]) -> bool:
    """Whether something stands before a line in the column of the block's label: a label that the schema
    does not know, or one that could not be read."""
    left = block.label.u0 - piece.height
    return any(
        abs(other.v - piece.v) <= _ONE_LINE * max(other.height, piece.height)
        and left <= other.u0
        and other.u1 <= piece.u0 + piece.height / 2
        for other in pieces
        if other is not piece
    )


_COLUMN = 2.0
"""How far apart, in text heights, labels may begin of which one tells the pitch of the other's rows:
wider than `_EDGE`, for nothing is read off them."""
_NO_PITCH = 1.0
"""Pitch where there is no other label: a page's width, further than any line is."""


def _pitch(own: Label, labels: Sequence[Label]) -> float:
    """Distance to the nearest label of the same column, in page widths."""
    distances = [
        abs(label.v - own.v)
        for label in labels
        if label is not own and abs(label.u0 - own.u0) <= _COLUMN * own.height
    ]
    return min(distances, default=_NO_PITCH)


_LOWER = 0.5
"""How far below a label, in its own heights, another one stands in a row of its own … [twice ±0]"""
_ABOVE = 0.8
"""… and how far below a piece, in the piece's, it may stand and still be on the way to it. [twice
−2]"""


def _foreign(piece: Piece, block: Block, labels: Sequence[Label]) -> bool:
    """Whether another label stands between the block's own and the piece."""
    own = block.label
    for label in labels:
        if label is own:
            continue
        between = own.v + _LOWER * own.height < label.v <= piece.v + _ABOVE * piece.height
        if between and label.u0 < piece.u1 and label.u1 > own.u0 - own.height:
            return True
    return False


_CLOSE = 2.5
"""Distance up to which a value beside a label is its own, in text heights; else it is sought below."""
_UNDER = (0.6, 3.5)
"""From a label down to a value under it, in text heights."""


def _below(
    labels: Sequence[Label], blocks: Mapping[int, Block], rest: Sequence[Piece]
) -> tuple[dict[int, Block], list[Piece]]:
    """For labels with nothing close beside them: the nearest line under them."""
    left = list(rest)
    under: dict[int, Block] = {}
    least, most = _UNDER
    for index, label in enumerate(labels):
        if index in blocks and blocks[index].distance <= _CLOSE:
            continue
        best: tuple[float, Piece] | None = None
        for piece in left:
            drop = (piece.v - label.foot) / max(label.height, piece.height)
            middle = (label.u0 + label.u1) / 2
            aligned = (
                abs(piece.u0 - label.u0) <= _EDGE * label.height
                or piece.u0 - label.height <= middle <= piece.u1 + label.height
            )
            if least < drop <= most and aligned and (best is None or drop < best[0]):
                best = (drop, piece)
        if best is not None:
            under[index] = Block(label, "below", [[best[1]]], best[0])
            left.remove(best[1])
    return under, left


_NEXT_UNDER = (0.6, 1.7)
"""From one line of a value under its label down to the next, in text heights: closer than the rows of
the form stand."""
_FLUSH = 0.6
"""How far apart their left edges are at most, in text heights …"""
_LIKE = 1.5
"""… and how many times as tall one may be as the other."""


def _further_under(
    under: Mapping[int, Block],
    rest: Sequence[Piece],
    multiline: Collection[str],
    labels: Sequence[Label],
) -> list[Piece]:
    """Let values of several lines that stand under their labels go on; returns what remains."""
    left = list(rest)
    least, most = _NEXT_UNDER
    for block in under.values():
        if block.label.name not in multiline:
            continue
        while True:
            first, last = block.lines[0][0], block.lines[-1][0]
            following = [
                piece
                for piece in left
                if least * piece.height < piece.v - last.v <= most * max(piece.height, last.height)
                and abs(piece.u0 - first.u0) <= _FLUSH * max(piece.height, first.height)
                and max(piece.height, last.height) <= _LIKE * min(piece.height, last.height)
                and not _foreign(piece, block, labels)
            ]
            if not following:
                break
            piece = min(following, key=lambda each: each.v)
            block.lines.append([piece])
            left.remove(piece)
    return left


_HALF_SURE = 0.5
"""Quality from which a label's value shows where the values of its column begin. [twice ±0]"""
_ROWS_BEYOND = 6
"""Rows above and below a column of labels in which its values may stand, too. [half and five −1]"""
_TALLEST = 1.8
"""Height up to which a piece may be a value of a column, in heights of another value. [half −2]"""


def _orphans(
    layout: PageLayout, labels: Sequence[Label], blocks: Mapping[int, Block], rest: Sequence[Piece]
) -> list[Block]:
    """Pieces that begin where the values of a column of labels begin, beside or between them."""
    orphans: list[Block] = []
    named = [label for label in labels if label.name is not None]
    columns = _columns(named, layout.height) or _columns(named, layout.height, least=1)
    for column in columns:
        members = [
            block
            for block in blocks.values()
            if abs(block.label.u0 - column.u0) <= _EDGE * layout.height
            and block.place == "right"
            and block.label.quality >= _HALF_SURE
        ]
        if not members:
            continue
        pitch = _pitch(members[0].label, labels)
        top, bottom = column.top - _ROWS_BEYOND * pitch, column.bottom + _ROWS_BEYOND * pitch
        feet = [lb.v for lb in labels if lb.name is None and lb.v > column.bottom + lb.height]
        bottom = min([bottom, *(v - layout.height for v in feet)])
        for piece in rest:
            if any(piece is orphan.lines[0][0] for orphan in orphans):
                continue
            near = [
                block
                for block in members
                if abs(block.lines[0][0].u0 - piece.u0) <= _EDGE * piece.height
                and piece.height <= _TALLEST * block.lines[0][0].height
            ]
            if near and top <= piece.v <= bottom:
                owner = min(near, key=lambda b: abs(b.label.v - piece.v))
                orphans.append(Block(owner.label, "column", [[piece]], 0.0))
    return orphans

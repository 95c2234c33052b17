"""What a vision model read, put where another engine found lines.

A model reads better than it points: its text is laid over the lines that an engine found, character by
character, and a line says what the model read there. What the model alone saw stands between its
neighbours, and what it left out stays as the engine read it; either is believed less.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from rapidfuzz import fuzz
from rapidfuzz.distance import Levenshtein

from ocr_moe.engines.vlm.replies import Piece
from ocr_moe.folds import fold_print
from ocr_moe.types import Box, Line, Quad

# How far a line is believed. Two readers that know nothing of one another and say the same are seldom
# wrong together; of two that differ the model is mostly right, but may have made it up.
AGREED = 0.99
"""At least, where the engine reads the same."""
DIFFERENT = 0.85
"""At most, where it reads something else."""
ALONE = 0.7
"""Of what only one of them saw: at most, of the engine's; of the model's, where it gives no better."""
_SAME = 0.5
"""Likeness of two readings of one line from which a line of the reply may be found by it."""
_LENGTHS = (0.4, 2.5)
"""Length of what the model reads on a line, in lengths of what the engine does: of what is beyond, the
rest is of another line, or made up."""


_SURE, _LEAST_ALIKE = 0.9, 0.3
"""Confidence of an engine from which what a model reads must have so much likeness to it: the line was
legible, and what is said is something else than it."""
_MOST_ALIKE = 3
"""How often the same text is believed to stand where no engine found any: a model may run in circles."""


def likeness(pieces: Sequence[Piece], lines: Sequence[Line], *, cut: bool = False) -> float:
    """How much a reply is like what an engine read: share of the engine's characters, in lines that
    stand in the reply more or less so; of a reply that was `cut` off, of the reply's in the engine's."""
    said = [fold_print(line) for piece in pieces for line in piece.lines]
    read = [fold_print(line.text) for line in lines]
    return _found_in(said, "".join(read)) if cut else _found_in(read, "".join(said))


def _found_in(texts: Sequence[str], other: str) -> float:
    total = sum(map(len, texts))
    found = (text for text in texts if text and _likeness_within(text, other) >= 100 * _SAME)
    return sum(map(len, found)) / total if total else 1.0


def _likeness_within(text: str, other: str) -> float:
    """That of a text and the part of another that is most like it."""
    alike = fuzz.ratio if len(text) > len(other) else fuzz.partial_ratio
    return alike(text, other)


def aligned(pieces: Sequence[Piece], lines: Sequence[Line]) -> tuple[Line, ...]:
    """The lines of a page, in no order, as the pieces of a reply have them.

    Lines that the document itself says stay as they are.
    """
    left = list(lines)
    found: list[Line] = []
    unplaced: list[Piece] = []
    unseen: Counter[tuple[str, ...]] = Counter()
    for piece in pieces:
        if piece.box is None:
            unplaced.append(piece)
            continue
        inside = [line for line in left if _is_within(line.box, piece.box)]
        left = [line for line in left if line not in inside]
        unseen[piece.lines] += not inside
        if inside or unseen[piece.lines] <= _MOST_ALIKE:
            found += _laid(piece.lines, inside, piece.box)
    if unplaced:
        found += _laid([line for piece in unplaced for line in piece.lines], left, None)
    else:
        found += [_doubted(line) for line in left]
    return tuple(found)


def agreed(line: Line, text: str, certainty: float = 1.0) -> Line:
    """A line on which a model reads `text`, of which it is so sure."""
    if line.exact:
        return line
    if fold_print(text) == fold_print(line.text):
        confidence = min(max(line.confidence, AGREED), 1.0) * certainty
    else:
        confidence = min(DIFFERENT, certainty)
    return line.model_copy(update={"text": text, "confidence": round(confidence, 5)})


def _laid(texts: Sequence[str], lines: Sequence[Line], box: Box | None) -> list[Line]:
    """Texts in their order over the lines that stand there (in `box`, where that is known)."""
    if not lines:
        return [] if box is None else _spread(texts, box)
    if not texts:
        return [_doubted(line) for line in lines]
    ordered = _in_order(lines, texts)
    ends = _ends("\n".join(line.text for line in ordered), "\n".join(texts), ordered)
    said = "\n".join(texts)
    found: list[Line] = []
    at, waiting, last = 0, list[str](), None
    for line, end in zip(ordered, ends, strict=True):
        before, own, after = _own(said[at:end], line)
        at = end
        found += _spread([*waiting, *before], _gap(last, line))
        found.append(agreed(line, own) if own else _doubted(line))
        waiting, last = after, line
    return found + _spread(waiting, _gap(last, None))


_FINDABLE = 4
"""Characters from which the place of a line in a reply is told by what an engine read on it."""


def _in_order(lines: Sequence[Line], texts: Sequence[str]) -> list[Line]:
    """The lines in the order in which the reply has them, if that is not theirs: columns may be read
    one after the other. A line that is not found there stays behind the one before it."""
    said = "".join(map(fold_print, texts))
    places: list[tuple[float, int]] = []
    before = 0.0
    for index, line in enumerate(lines):
        read = fold_print(line.text)
        if len(read) >= _FINDABLE:
            match = fuzz.partial_ratio_alignment(read, said, score_cutoff=100 * _SAME)
            before = before if match is None else match.dest_start
        places.append((before, index))
    moved = [lines[index] for _, index in sorted(places)]
    return max((list(lines), moved), key=lambda each: _ratio(each, said))


def _ratio(lines: Sequence[Line], said: str) -> float:
    return fuzz.ratio("".join(fold_print(line.text) for line in lines), said)


def _ends(read: str, said: str, lines: Sequence[Line]) -> list[int]:
    """Where in `said` the text of each line ends, that of the last with it all.

    Of what stands in `said` alone, all up to the end of its line goes with the line before it.
    """
    breaks: list[int] = []
    for line in lines[:-1]:
        breaks.append((breaks[-1] + 1 if breaks else 0) + len(line.text))
    ends: list[int] = []
    opcodes = Levenshtein.opcodes(read, said)
    for place in breaks:
        end = len(said)
        for code in opcodes:
            if code.src_start <= place < code.src_end:
                end = min(code.dest_start + place - code.src_start, code.dest_end)
                break
        ends.append(max(end, ends[-1] if ends else 0))
    return [*ends, len(said)]


def _own(said: str, line: Line) -> tuple[list[str], str, list[str]]:
    """What of a stretch of the reply is the line's, and what stands before and behind that."""
    parts = [part.strip() for part in said.split("\n") if part.strip()]
    if not parts:
        return [], "", []
    read = fold_print(line.text)
    joined = "".join(parts)
    likes = [fuzz.ratio(fold_print(part), read) for part in parts]
    best = max(range(len(parts)), key=lambda i: likes[i])
    if fuzz.ratio(fold_print(joined), read) > likes[best] and may_be(joined, line):
        return [], joined, []
    if may_be(parts[best], line):
        return parts[:best], parts[best], parts[best + 1 :]
    rest = [part for part in parts if fold_print(part) not in read]  # not what is left of the line
    return rest, "", []


def may_be(text: str, line: Line) -> bool:
    """Whether a text may be that of a line on which an engine read another: about as long, and where
    the engine read it surely, more or less the same."""
    shortest, longest = _LENGTHS
    said, read = fold_print(text), fold_print(line.text)
    if not shortest * len(read) <= len(said) <= longest * max(len(read), 1):
        return False
    return line.confidence < _SURE or fuzz.ratio(said, read) >= 100 * _LEAST_ALIKE


def _doubted(line: Line) -> Line:
    """A line of which the model says nothing."""
    if line.exact or line.confidence <= ALONE:
        return line
    return line.model_copy(update={"confidence": ALONE})


def _gap(before: Line | None, after: Line | None) -> Box:
    """Where a text stands that only the model saw, between two lines."""
    if before is None and after is None:
        return (0.0, 0.0, 1.0, 1.0)
    if before is None:
        assert after is not None
        x0, y0, x1, y1 = after.box
        return (x0, max(2 * y0 - y1, 0.0), x1, y0)
    if after is None:
        x0, y0, x1, y1 = before.box
        return (x0, y1, x1, min(2 * y1 - y0, 1.0))
    one, other = before.box, after.box
    if one[2] < other[0] and other[1] < one[3]:  # side by side
        return (one[2], min(one[1], other[1]), other[0], max(one[3], other[3]))
    top, bottom = sorted((one[3], other[1]))
    return (min(one[0], other[0]), top, max(one[2], other[2]), bottom)


def _spread(texts: Sequence[str], box: Box) -> list[Line]:
    """Texts that no engine found, one below the other in a box."""
    x0, y0, x1, y1 = box
    step = (y1 - y0) / max(len(texts), 1)
    edges = [y0 + step * i for i in range(len(texts) + 1)]
    return [
        Line(text=text, confidence=ALONE, quad=_quad((x0, top, x1, bottom)))
        for text, (top, bottom) in zip(texts, pairwise(edges), strict=True)
    ]


def _quad(box: Box) -> Quad:
    x0, y0, x1, y1 = (round(min(max(each, 0.0), 1.0), 5) for each in box)
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


def _is_within(inner: Box, outer: Box) -> bool:
    """Whether the middle of a box lies within another."""
    x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
    return outer[0] <= x <= outer[2] and outer[1] <= y <= outer[3]

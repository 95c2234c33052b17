"""Pages far longer than wide, such as a screenshot of a whole chat, read strip by strip.

An engine looks for text on the whole image, shrunk to what it can take: on one of 1080 by 9000 pixels
the type of a certificate is then four pixels high.  Of strips that overlap every line is whole on one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ocr_moe.types import Box, Line, Point, Quad

if TYPE_CHECKING:
    from PIL import Image

_LONG = 3.0
"""Longer by shorter side from which a page is read in strips; paper has 1.4, a long receipt 2 to 3."""
_STRIP = 2.0
"""Length of a strip, in shorter sides …"""
_OVERLAP = 0.25
"""… and by how much two of them overlap: more than the tallest line of type."""
_EDGE = 0.004
"""Distance from a strip's cut, in parts of its length, within which a line is not whole."""
_SAME = 0.5
"""Share of the smaller of two boxes that they have in common, from which they are one line."""

Read = Callable[["Image.Image"], tuple[Line, ...]]


def in_strips(image: Image.Image, read: Read) -> tuple[Line, ...]:
    """The lines of an image, of a long one strip by strip, in order along it. Raises as `read` does."""
    width, height = image.size
    short, long = sorted(image.size)
    if long < _LONG * short:
        return read(image)
    lines: list[Line] = []
    starts = list(range(0, long, round((_STRIP - _OVERLAP) * short)))
    for start in starts:
        end = min(start + round(_STRIP * short), long)
        part = (0, start, width, end) if height > width else (start, 0, end, height)
        before = len(lines)
        for line in read(image.crop(part)):
            if _is_cut(line.box, start > 0, end < long, upright=height > width):
                continue
            moved = _moved(line, part, width, height)
            if not any(_same(moved.box, other.box) for other in lines[:before]):
                lines.append(moved)
        if end == long:
            break
    return tuple(lines)


def _is_cut(box: Box, before: bool, after: bool, *, upright: bool) -> bool:
    """Whether a line touches a side on which the page goes on."""
    first, last = (box[1], box[3]) if upright else (box[0], box[2])
    return (before and first <= _EDGE) or (after and last >= 1 - _EDGE)


def _moved(line: Line, part: Sequence[int], width: int, height: int) -> Line:
    """A strip's line in fractions of the whole image."""
    left, top, right, bottom = part

    def place(point: Point) -> Point:
        x, y = point
        return (
            round((left + x * (right - left)) / width, 5),
            round((top + y * (bottom - top)) / height, 5),
        )

    a, b, c, d = line.quad
    quad: Quad = (place(a), place(b), place(c), place(d))
    return line.model_copy(update={"quad": quad})


def _same(one: Box, other: Box) -> bool:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    tall = min(one[3], other[3]) - max(one[1], other[1])
    if wide <= 0 or tall <= 0:
        return False
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return wide * tall > _SAME * min(areas)

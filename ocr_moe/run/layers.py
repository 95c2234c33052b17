"""A page's own text beside what OCR reads on the rest of it, as one page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rapidfuzz import fuzz

from ocr_moe.engines.polygons import reading_order
from ocr_moe.folds import fold_print
from ocr_moe.intake.righting import Rotation, read_upright, turn
from ocr_moe.intake.textlayer import TextLayer, TextLine
from ocr_moe.types import Box, Line, Point, Quad

if TYPE_CHECKING:
    from PIL import Image

Read = Callable[["Image.Image"], tuple[Line, ...]]

_SAMPLE = 8
"""Lines of a text layer that are held against the pixels, those with most characters; form fields that
show a picture of their value are all held against it."""
_ALIKE = 60.0
"""Likeness (`rapidfuzz.fuzz.ratio`) of what a line says and what OCR reads there, from which the line
may be believed: text named wrongly has next to nothing of it, and OCR on legible type 90 and more."""
_MARGIN = 0.004
"""What is taken around a line, in page widths and heights."""


def own_lines(layer: TextLayer) -> tuple[Line, ...]:
    """The lines of a text layer in reading order."""
    lines = [Line(text=x.text, confidence=1.0, quad=_quad(x), exact=True) for x in layer.lines]
    return reading_order(lines, aspect=layer.width / layer.height)


def is_borne_out(layer: TextLayer, page: Image.Image, read: Read) -> bool:
    """Whether OCR reads what the layer says where one may doubt that, on a sample of its lines.

    `page` shows the page with its text, as it is decoded. Raises what `read` raises.
    """
    doubtful = [line for line in layer.lines if line.doubtful]
    longest = sorted(layer.lines, key=lambda line: -len(line.text))
    asked = list(dict.fromkeys([*doubtful, *longest[: max(_SAMPLE - len(doubtful), 0)]]))
    upright = turn(page, layer.rotation)
    seen = read(_only(upright, [_box(line) for line in asked]))
    return all(_says(line, seen) for line in doubtful) and (
        sum(_says(line, seen) for line in asked) > len(asked) / 2
    )


def with_rest(layer: TextLayer, rest: Image.Image, read: Read) -> tuple[Rotation, tuple[Line, ...]]:
    """Degrees clockwise that make the page upright, and its lines with those that OCR finds on `rest`,
    the page without the layer's lines, as it is decoded.

    Where both are turned otherwise, the one with more characters is upright. Raises what `read` raises.
    """
    own, upright = own_lines(layer), rotation_of(layer.rotation)
    rotation, found = read_upright(rest, read)
    if rotation != upright and _characters(own) >= _characters(found):
        rotation, found = upright, read(turn(rest, upright))
    turned = (rotation - upright) % 360
    own = tuple(_turned(line, turned) for line in own)
    boxes = [line.box for line in own]
    others = [line for line in found if not any(_covered(line.box, box) for box in boxes)]
    width, height = rest.size if rotation in (0, 180) else (rest.height, rest.width)
    return rotation, reading_order([*own, *others], aspect=width / height)


def rotation_of(degrees: int) -> Rotation:
    """The same number, for type checkers. Raises KeyError for what is no quarter turn."""
    known: dict[int, Rotation] = {0: 0, 90: 90, 180: 180, 270: 270}
    return known[degrees]


def _quad(line: TextLine) -> Quad:
    a, b, c, d = line.quad
    return ((a[0], a[1]), (b[0], b[1]), (c[0], c[1]), (d[0], d[1]))


def _box(line: TextLine) -> Box:
    xs, ys = zip(*line.quad, strict=True)
    return (min(xs), min(ys), max(xs), max(ys))


def _characters(lines: Sequence[Line]) -> int:
    return sum(len(line.text) for line in lines)


def _only(page: Image.Image, boxes: Sequence[Box]) -> Image.Image:
    """The page with nothing on it but what stands in these boxes."""
    from PIL import Image as PillowImage

    paper = PillowImage.new("RGB", page.size, "white")
    for x0, y0, x1, y1 in boxes:
        left, top = int((x0 - _MARGIN) * page.width), int((y0 - _MARGIN) * page.height)
        right, bottom = int((x1 + _MARGIN) * page.width), int((y1 + _MARGIN) * page.height)
        area = (max(left, 0), max(top, 0), min(right, page.width), min(bottom, page.height))
        paper.paste(page.crop(area), area[:2])
    return paper


def _says(line: TextLine, seen: Sequence[Line]) -> bool:
    x0, y0, x1, y1 = _box(line)
    there = [
        other
        for other in seen
        if x0 - _MARGIN <= (other.box[0] + other.box[2]) / 2 <= x1 + _MARGIN
        and y0 - _MARGIN <= (other.box[1] + other.box[3]) / 2 <= y1 + _MARGIN
    ]
    read = "".join(other.text for other in there)
    return fuzz.ratio(fold_print(line.text), fold_print(read)) >= _ALIKE


def _covered(box: Box, by: Box) -> bool:
    """Whether most of a box lies within another."""
    across = min(box[2], by[2]) - max(box[0], by[0])
    down = min(box[3], by[3]) - max(box[1], by[1])
    area = (box[2] - box[0]) * (box[3] - box[1])
    return across > 0 and down > 0 and across * down > 0.5 * area


def _turned(line: Line, degrees: int) -> Line:
    """The line on the page turned clockwise, boxed as it then stands."""
    if degrees == 0:
        return line

    def point(corner: Point) -> Point:
        x, y = corner
        return {90: (1 - y, x), 180: (1 - x, 1 - y), 270: (y, 1 - x)}[degrees]

    xs, ys = zip(*map(point, line.quad), strict=True)
    left, top, right, bottom = min(xs), min(ys), max(xs), max(ys)
    quad = ((left, top), (right, top), (right, bottom), (left, bottom))
    return line.model_copy(update={"quad": quad})

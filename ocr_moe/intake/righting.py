"""Finding out which way up a page is, from what OCR itself sees of it.

An upright page costs nothing: its lines are wider than tall and read with confidence. Only a page
whose lines stand on end, run aslant or read badly is read again another way round.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from ocr_moe.geometry import around, direction
from ocr_moe.types import Line, Point

if TYPE_CHECKING:
    from PIL import Image

REVISION = 2
"""Changes when pages may be decoded or turned otherwise; part of the key of page OCR from 2 on."""

Rotation = Literal[0, 90, 180, 270]
Read = Callable[["Image.Image"], tuple[Line, ...]]

_SURE = 0.8
"""Mean confidence, by characters, above which a page is taken to be upright."""
_LEGIBLE_LINE = (4, 0.9)
"""Characters and confidence that a line of an upside-down page hardly ever has both of."""
_LEGIBLE_SHARE = 0.15
"""Share of the characters in such lines above which a damaged page is taken to be upright. Of 87
pages of samples and real licences, 86 had none when upside down, one had 0.08."""
_STRIP = 2.5
"""Times as long as thick that a line must be to say how the page lies: a digit is up to twice as
tall as wide whichever way it stands."""
_SKEWED = 4.0
"""Degrees of skew from which a page is levelled and read again."""
_STEEPEST = 20.0
"""Degrees of skew beyond which lines are no rows of a page that lies askew."""
_SKEW_LINE = 0.08
"""Length of a line, in page widths, from which it says how the page's rows run."""


@dataclass(frozen=True)
class _View:
    """What was read on the page, turned clockwise by `rotation`."""

    rotation: Rotation
    image: Image.Image
    lines: tuple[Line, ...]

    @cached_property
    def is_on_end(self) -> bool:
        """Whether most of the length of its lines stands upright."""
        on_end = total = 0.0
        for line in self.lines:
            x0, y0, x1, y1 = line.box
            wide, tall = (x1 - x0) * self.image.width, (y1 - y0) * self.image.height
            if max(wide, tall) < _STRIP * min(wide, tall):
                continue
            total += max(wide, tall)
            on_end += tall if tall > wide else 0.0
        return on_end > 0.5 * total

    @property
    def is_sure(self) -> bool:
        return self._mean_confidence >= _SURE

    @property
    def is_legible(self) -> bool:
        """Whether so much was read that the page must be the right way up, however damaged."""
        length, confidence = _LEGIBLE_LINE
        total = sum(len(line.text) for line in self.lines)
        legible = [x for x in self.lines if len(x.text) >= length and x.confidence >= confidence]
        share = sum(len(line.text) for line in legible) / total if total else 0.0
        return share >= _LEGIBLE_SHARE

    @property
    def has_only_scraps(self) -> bool:
        return all(len(line.text) < _LEGIBLE_LINE[0] for line in self.lines)

    @property
    def legibility(self) -> float:
        """Characters read with confidence; to the fourth power, so that doubtful ones count little."""
        return sum(len(line.text) * line.confidence**4 for line in self.lines)

    @property
    def _mean_confidence(self) -> float:
        total = sum(len(line.text) for line in self.lines)
        return sum(len(x.text) * x.confidence for x in self.lines) / total if total else 0.0


def read_upright(image: Image.Image, read: Read) -> tuple[Rotation, tuple[Line, ...]]:
    """Degrees clockwise that make the page upright, and the lines read on it that way.

    `read` gives the lines of an image, in fractions of it. A page that lies askew by more than a few
    degrees is read once more, levelled; its lines are given where they stand on the page as it is.
    """
    best = _upright(image, read)
    return best.rotation, _levelled(best, read)


def turn(image: Image.Image, rotation: int) -> Image.Image:
    """The image turned clockwise by a multiple of 90 degrees."""
    from PIL import Image as module

    if rotation % 360 == 0:
        return image
    methods = {
        90: module.Transpose.ROTATE_270,
        180: module.Transpose.ROTATE_180,
        270: module.Transpose.ROTATE_90,
    }
    return image.transpose(methods[rotation % 360])


def _upright(image: Image.Image, read: Read) -> _View:
    """The page the way round in which it is read best."""
    view = _View(0, image, read(image))
    if not view.lines or (not view.is_on_end and (view.is_sure or view.is_legible)):
        return view
    views = [view]
    others: list[Rotation] = _ways_to_lay(view) if view.is_on_end else [180]
    while others:
        rotation = others.pop(0)
        turned = turn(image, rotation)
        view = _View(rotation, turned, read(turned))
        if not view.is_on_end and view.is_sure:
            return view
        views.append(view)
        # Of a sideways page there may be no line at first; upside down its lines are on end.
        if rotation == 180 and view.is_on_end:
            others = [180 + way if way == 90 else 90 for way in _ways_to_lay(view)]
        elif rotation == 180 and all(each.has_only_scraps for each in views):
            others = [90, 270]
    # Engines read lines on end well when they run downwards: no sign that a page belongs that way.
    level = [each for each in views if not each.is_on_end and each.is_legible]
    return max(level or views, key=lambda each: each.legibility)


def _ways_to_lay(view: _View) -> list[Rotation]:
    """By how much to turn a page whose lines stand on end, the likelier way first.

    Engines lay such a line on its left side: one that runs downwards is read, the other is upside
    down.
    """
    return [270, 90] if view.is_sure or view.is_legible else [90, 270]


def _levelled(view: _View, read: Read) -> tuple[Line, ...]:
    """The lines of a page, read once more where it lies askew."""
    angle = _skew(view)
    if not _SKEWED <= abs(angle) <= _STEEPEST:
        return view.lines
    image, place = _level(view.image, angle)
    again = tuple(
        line.model_copy(update={"quad": tuple(map(place, line.quad))}) for line in read(image)
    )
    return max((view.lines, again), key=lambda lines: _View(0, image, lines).legibility)


def _skew(view: _View) -> float:
    """Degrees clockwise by which the rows of a page run down to the right."""
    width, height = view.image.size
    quads = [line.quad for line in view.lines if not _is_tall(line, width, height)]
    right, down = direction(quads, _SKEW_LINE, width=1.0, height=height / width)
    return math.degrees(math.atan2(down, right))


def _is_tall(line: Line, width: int, height: int) -> bool:
    x0, y0, x1, y1 = around(line.quad)
    return (y1 - y0) * height > (x1 - x0) * width


def _level(image: Image.Image, angle: float) -> tuple[Image.Image, Callable[[Point], Point]]:
    """The page turned back by its skew, and where a point of it (fractions) was on the page."""
    import cv2
    import numpy as np
    from PIL import Image as module

    pixels = np.asarray(image.convert("RGB"))
    height, width = pixels.shape[:2]
    sine, cosine = math.sin(math.radians(angle)), math.cos(math.radians(angle))
    out = (
        math.ceil(width * cosine + height * abs(sine)),
        math.ceil(height * cosine + width * abs(sine)),
    )
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    matrix[:, 2] += ((out[0] - width) / 2, (out[1] - height) / 2)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    level = cv2.warpAffine(
        pixels,
        matrix,
        out,
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=tuple(float(channel) for channel in np.median(edge, axis=0)),
    )
    back = cv2.invertAffineTransform(matrix)

    def place(point: Point) -> Point:
        x, y = back @ (point[0] * out[0], point[1] * out[1], 1.0)
        return (
            round(min(max(float(x) / width, 0.0), 1.0), 5),
            round(min(max(float(y) / height, 0.0), 1.0), 5),
        )

    return module.fromarray(level), place

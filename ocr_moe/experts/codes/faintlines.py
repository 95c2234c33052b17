"""Lines of small, pale or noisy type that text detectors pass over.

Type darkens the page in a stripe. The page's dark strokes (black-hat) are averaged along the
direction of its lines, where noise and paper patterns even out and type does not, and what stands
out from its surroundings is boxed. That finds numbers that a trained detector does not see, and
signatures and ornaments too: whoever asks has to read what is there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ocr_moe.geometry import around
from ocr_moe.imaging.linecrops import without_colour
from ocr_moe.types import Box, Point, Quad

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Floats = NDArray[np.float32]

_SIDE = 1600
"""Longest side of the page in pixels; all sizes below are of that page."""
_BLUR = 1.5
_STROKE = 25
_ALONG, _ACROSS = 61, 5
_SURROUNDINGS = 151
_STANDS_OUT = 6.0
"""Standard deviations above the surroundings, as the median absolute deviation estimates them."""
_STANDS_OUT_THERE = 3.5
"""The same where a line is expected: what is weaker drowns in the grain of a noisy photograph."""
_THINNEST, _THICKEST = 6, 45
_SHORTEST, _LONGEST_SHARE = 90, 0.7
_SLENDER = 4.0


def faint_lines(
    image: Image.Image,
    known: Sequence[Quad],
    skew: float,
    most: int,
    places: Sequence[Box] = (),
) -> list[Quad]:
    """Up to `most` lines besides the `known` ones, the most distinct first, in fractions of the page,
    and after them up to `most` fainter ones whose middle lies in one of the `places`.

    `skew` is the angle of the page's lines in radians, clockwise.
    """
    import cv2
    import numpy as np

    scale = _SIDE / max(image.size)
    width, height = round(image.width * scale), round(image.height * scale)
    level = np.asarray(
        cv2.getRotationMatrix2D((width / 2, height / 2), math.degrees(skew), 1.0), np.float64
    )
    strokes = _strokes(image.resize((width, height)), level)
    for quad in known:
        pixels = np.array([[(x * width, y * height) for x, y in quad]])
        cv2.fillPoly(strokes, [cv2.transform(pixels, level)[0].round().astype(np.int32)], [0.0])
    dark = np.asarray(cv2.boxFilter(strokes.astype(np.float32), -1, (_ALONG, _ACROSS)), np.float32)
    excess = dark - _surroundings(dark)
    back = cv2.invertAffineTransform(level)

    def boxed(least: float) -> list[Quad]:
        quads = []
        for _, corners in sorted(_stripes(excess, least), key=lambda stripe: -stripe[0]):
            points = cv2.transform(np.array([corners], np.float64), back)[0]
            tl, tr, br, bl = ((float(x) / width, float(y) / height) for x, y in points)
            quads.append((tl, tr, br, bl))
        return quads

    distinct = boxed(_STANDS_OUT)[:most]
    fainter = boxed(_STANDS_OUT_THERE) if places else []
    fainter = [
        quad
        for quad in fainter
        if any(_holds(place, quad) for place in places)
        and not any(_holds(around(quad), other) for other in distinct)
    ]
    return [*distinct, *fainter[:most]]


def _holds(box: Box, quad: Quad) -> bool:
    """Whether the middle of a line lies in the box."""
    x, y = sum(x for x, _ in quad) / 4, sum(y for _, y in quad) / 4
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _strokes(image: Image.Image, level: NDArray[np.float64]) -> NDArray[np.uint8]:
    """How much darker than the paper around it each pixel of the levelled page is; no colour."""
    import cv2
    import numpy as np

    grey = np.asarray(without_colour(image).convert("L"))
    grey = cv2.warpAffine(grey, level, image.size, borderMode=cv2.BORDER_REPLICATE)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_STROKE, _STROKE))
    smooth = cv2.GaussianBlur(grey, (0, 0), _BLUR)
    return np.asarray(cv2.morphologyEx(smooth, cv2.MORPH_BLACKHAT, kernel), np.uint8)


def _surroundings(dark: Floats) -> Floats:
    """The median around every point, taken on a page of a quarter of the size."""
    import cv2
    import numpy as np

    small = cv2.resize(dark, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    top = max(float(small.max()), 1e-6)
    coarse = np.clip(small * (255.0 / top), 0, 255).astype(np.uint8)
    median = cv2.medianBlur(coarse, _SURROUNDINGS // 4 | 1).astype(np.float32) * (top / 255.0)
    size = (dark.shape[1], dark.shape[0])
    return np.asarray(cv2.resize(median, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _stripes(excess: Floats, least: float) -> list[tuple[float, list[Point]]]:
    """(distinctness, corners in pixels) of what has the shape of a line of type and stands out by
    `least` standard deviations."""
    import cv2
    import numpy as np

    spread = 1.48 * float(np.median(np.abs(excess)))
    mask = (excess > max(least * spread, 1.0)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    found = []
    for index in range(1, count):
        left, top, wide, tall, area = (int(x) for x in stats[index])
        thick = area / wide
        if not _SHORTEST <= wide <= _LONGEST_SHARE * excess.shape[1]:
            continue
        if not _THINNEST <= thick <= _THICKEST or tall > 2 * _THICKEST or wide < _SLENDER * thick:
            continue
        window = (slice(top, top + tall), slice(left, left + wide))
        part = labels[window] == index
        strength = float(excess[window][part].mean())
        found.append((strength * math.sqrt(wide), _corners(part, left, top, thick)))
    return found


def _corners(part: Any, left: int, top: int, thick: float) -> list[Point]:
    """The tilted box around a stripe, whose ends may lie at different heights."""
    import numpy as np

    ys, xs = np.nonzero(part)
    wide = part.shape[1]
    slope = float(np.polyfit(xs, ys, 1)[0]) if wide > 2 * part.shape[0] else 0.0
    start = top + float(np.mean(ys)) - slope * float(np.mean(xs))
    end, half = start + slope * wide, 0.5 * thick + 2.0
    return [
        (left, start - half),
        (left + wide, end - half),
        (left + wide, end + half),
        (left, start + half),
    ]

"""Lines of small, pale or noisy type that text detectors pass over.

Type darkens the page in a stripe. The page's dark strokes (black-hat) are averaged along the
direction of its lines, where noise and paper patterns even out and type does not, and what stands
out from its surroundings is boxed. That finds numbers that a trained detector does not see, and
frames and signatures too: whoever asks has to read what is there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ocr_moe.experts.linecrops import without_colour
from ocr_moe.types import Quad

if TYPE_CHECKING:
    from PIL import Image

_SIDE = 1600
"""Longest side of the page in pixels; all sizes below are of that page."""
_STROKE = 25
_ALONG, _ACROSS = 61, 5
_SURROUNDINGS = 151
_STANDS_OUT = 6.0
"""Median absolute deviations above the surroundings."""
_LOWEST, _HIGHEST = 6, 45
_SHORTEST = 90
_LONGEST_SHARE = 0.7
_SLENDER = 4.0


def faint_lines(image: Image.Image, known: Sequence[Quad], skew: float, most: int) -> list[Quad]:
    """Up to `most` lines besides the `known` ones, the most distinct first, in fractions of the page.

    `skew` is the angle of the page's lines in radians, clockwise.
    """
    import cv2
    import numpy as np
    from PIL import Image as PillowImage

    scale = _SIDE / max(image.size)
    width, height = round(image.width * scale), round(image.height * scale)
    small = image.resize((width, height), PillowImage.Resampling.LANCZOS)
    grey = np.asarray(without_colour(small).convert("L"))
    level = cv2.getRotationMatrix2D((width / 2, height / 2), math.degrees(skew), 1.0)
    grey = cv2.warpAffine(grey, level, (width, height), borderMode=cv2.BORDER_REPLICATE)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_STROKE, _STROKE))
    strokes = cv2.morphologyEx(cv2.GaussianBlur(grey, (0, 0), 1.5), cv2.MORPH_BLACKHAT, kernel)
    for quad in known:
        painted = np.array([[(x * width, y * height) for x, y in quad]])
        cv2.fillPoly(strokes, [cv2.transform(painted, level)[0].round().astype(np.int32)], [0.0])
    dark = cv2.boxFilter(strokes.astype(np.float32), -1, (_ALONG, _ACROSS))
    excess = dark - _surroundings(dark)
    spread = 1.48 * float(np.median(np.abs(excess)))
    mask = (excess > max(_STANDS_OUT * spread, 1.0)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask)
    found: list[tuple[float, Any]] = []
    for index in range(1, count):
        left, top, wide, tall, area = stats[index]
        if wide < _SHORTEST or wide > _LONGEST_SHARE * width or tall > 2 * _HIGHEST:
            continue
        part = labels[top : top + tall, left : left + wide] == index
        ys, xs = np.nonzero(part)
        slope = float(np.polyfit(xs, ys, 1)[0]) if wide > 2 * tall else 0.0
        thick = area / wide
        if not _LOWEST <= thick <= _HIGHEST or wide < _SLENDER * thick:
            continue
        half = 0.5 * thick + 2.0
        middle = top + float(np.mean(ys)) - slope * float(np.mean(xs))
        ends = ((left, middle), (left + wide, middle + slope * wide))
        corners = [(x, y + d) for d, pair in ((-half, ends), (half, ends[::-1])) for x, y in pair]
        strength = float(excess[top : top + tall, left : left + wide][part].mean())
        found.append((strength * math.sqrt(wide), corners))
    found.sort(key=lambda item: -item[0])
    back = cv2.invertAffineTransform(level)
    quads = []
    for _, corners in found[:most]:
        points = cv2.transform(np.array([corners], np.float64), back)[0]
        tl, tr, br, bl = ((float(x) / width, float(y) / height) for x, y in points)
        quads.append((tl, tr, br, bl))
    return quads


def _surroundings(dark: Any) -> Any:
    """The median around every point, taken on a page of a quarter of the size."""
    import cv2
    import numpy as np

    small = cv2.resize(dark, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    top = max(float(small.max()), 1e-6)
    bytes_ = np.clip(small * (255.0 / top), 0, 255).astype(np.uint8)
    median = cv2.medianBlur(bytes_, _SURROUNDINGS // 4 | 1).astype(np.float32) * (top / 255.0)
    return cv2.resize(median, dark.shape[::-1], interpolation=cv2.INTER_LINEAR)

"""Boxes and lines on a page: pure numbers, in fractions of the page unless said otherwise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ocr_moe.types import Box, Point, Quad

ORDER_LENGTH = 0.08
"""Width of a line, in page widths, from which it says how the page's rows run.  Part of the order of
lines, and so of every engine's fingerprint."""
CODE_LENGTH = 0.06
"""The same for the frame in which codes are sought: on a page of little text a code's line, which may
be short, is the best there is."""


def hull(boxes: Sequence[Box]) -> Box:
    """The smallest box around all of them, clipped to the page."""
    return (
        max(0.0, min(box[0] for box in boxes)),
        max(0.0, min(box[1] for box in boxes)),
        min(1.0, max(box[2] for box in boxes)),
        min(1.0, max(box[3] for box in boxes)),
    )


def onto_page(box: Box, region: Box | None) -> Box:
    """A box in fractions of a region of a page, in fractions of the page; of no region, the same."""
    if region is None:
        return box
    left, top, wide, tall = region[0], region[1], region[2] - region[0], region[3] - region[1]
    x0, y0, x1, y1 = box
    return (left + wide * x0, top + tall * y0, left + wide * x1, top + tall * y1)


def pixels_of(region: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """The pixels (left, top, right, bottom) of a region of a page of that size; at least one."""
    x0, y0, x1, y1 = region
    left, top = min(int(x0 * width), width - 1), min(int(y0 * height), height - 1)
    right, bottom = math.ceil(x1 * width), math.ceil(y1 * height)
    return left, top, min(max(right, left + 1), width), min(max(bottom, top + 1), height)


def around(points: Iterable[Point]) -> Box:
    """The smallest upright box around points."""
    xs, ys = zip(*points, strict=True)
    return (min(xs), min(ys), max(xs), max(ys))


def distance(a: Point, b: Point, width: float = 1.0, height: float = 1.0) -> float:
    """Between two points of a page that is `width` by `height`."""
    return math.hypot((b[0] - a[0]) * width, (b[1] - a[1]) * height)


def line_height(quad: Quad, width: float = 1.0, height: float = 1.0) -> float:
    """Height of a line across its baseline: the mean of its two ends."""
    top_left, top_right, bottom_right, bottom_left = quad
    left = distance(top_left, bottom_left, width, height)
    right = distance(top_right, bottom_right, width, height)
    return (left + right) / 2


def direction(
    quads: Iterable[Quad], longer_than: float, width: float = 1.0, height: float = 1.0
) -> Point:
    """How the lines of a page run: (right, down) along the top of the line of the median angle.

    The page is `width` by `height`.  Only lines count that reach further right than `longer_than`,
    in page widths; (1, 0) without any.
    """
    tops = ((b[0] - a[0], b[1] - a[1]) for a, b, _, _ in quads)
    long = [(right * width, down * height) for right, down in tops if right > longer_than]
    long.sort(key=lambda top: math.atan2(top[1], top[0]))
    return long[len(long) // 2] if long else (1.0, 0.0)


def slope_by_height(quads: Iterable[Quad], aspect: float) -> tuple[float, float]:
    """Slope of the lines as `base + change · y`, which a photograph's perspective lets vary.

    Coordinates are in page widths, `aspect` is height by width.  Medians of long lines weighted by
    their length, so that a seal is no matter.
    """
    points: list[tuple[float, float, float]] = []
    for (x0, y0), (x1, y1), (x2, y2), (x3, y3) in quads:
        dx = (x1 - x0 + x2 - x3) / 2
        dy = (y1 - y0 + y2 - y3) / 2 * aspect
        tall = abs(y3 - y0) * aspect
        if dx > 3 * tall and dx > 0.05 and abs(dy) < 0.3 * dx:
            points.append(((y0 + y1 + y2 + y3) / 4 * aspect, dy / dx, dx))
    if not points:
        return 0.0, 0.0
    flat = _weighted_median([(slope, weight) for _, slope, weight in points])
    if len(points) < 6:
        return flat, 0.0
    # Theil-Sen over pairs that stand far enough apart to say something about perspective.
    pairs = [
        ((b[1] - a[1]) / (b[0] - a[0]), min(a[2], b[2]))
        for i, a in enumerate(points)
        for b in points[i + 1 :]
        if abs(b[0] - a[0]) > 0.15
    ]
    change = _weighted_median(pairs) if len(pairs) >= 6 else 0.0
    base = _weighted_median([(slope - change * y, weight) for y, slope, weight in points])
    return base, change


def _weighted_median(values: Sequence[tuple[float, float]]) -> float:
    ordered = sorted(values)
    half = sum(weight for _, weight in ordered) / 2
    running = 0.0
    for value, weight in ordered:
        running += weight
        if running >= half:
            return value
    return ordered[-1][0]

"""Red seals taken off a page before it is read.

A seal stamped over a date or a number hides it from text detectors more than from the eye.  Red ink
hardly absorbs red light: in the red channel the seal is nearly paper while black type stays black.
A seal is known by its rim, an unbroken ring or oval; red titles, rules and forms have none and stay.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

REVISION = 3
"""Changes when pages may come out differently; part of the key of page OCR that rests on it."""

_WORK = 640
"""Width, in pixels, at which seals are looked for."""
_LEAST_SIDE = 32
"""Pixels that a page must have either way to show a rim."""
_RED, _FAINT_RED = 22, 12
"""How far red must stand above green and blue to be red ink, in grey levels, and in seals that are worn
or small on a photograph. What else is as faintly red as those has no rim."""
_SOFTENING = 0.7
"""Standard deviation, in pixels, of the blur that takes a camera's noise off before seals are sought."""
_SMALLEST, _LARGEST = 0.06, 0.45
"""Extent of a seal, in page widths."""
_DENSEST = 0.6
"""Share of a seal that ink may cover: one that is solid is an emblem or a picture."""
_LEAST_ROUND = 0.45
"""Shorter over longer axis: the flattest ovals in use are half as high as wide."""
_RIM = 0.85
"""Share of its circumference along which a seal's rim must show. Of the patches of red on 41 award
certificates half were printed titles; asking this of a seal lost three of 222 labelled values and
gave sixteen back."""
_LEAST_RIM = 2.0
"""Red pixels that a page with a seal has at least, in diameters of the smallest: two thirds of a
circumference one pixel wide."""
_RIM_BAND = 0.05
"""How far from the ellipse its rim may run, in parts of the radius: seals are pressed by hand, and
paper is not flat."""
_LOOSE_BAND = 0.15
"""The same where the ellipse is a guess that is yet to be fitted."""
_ANGLES = 90
"""Places of the circumference that are looked at."""
_GAP = 7
"""Pixels up to which red ink belongs to one patch."""
_LARGEST_CIRCLE = 0.4
"""Diameter up to which worn rims are looked for, in page widths."""
_BEYOND = 0.06
"""How far off the page the centre of a seal may be that its edge cuts through, in page widths."""
_VOTES = 15
"""Edge pixels that must agree on a circle: a sixth of the smallest rim, for what is judged later."""
_MOST_CIRCLES = 20
"""Circles that are looked at, those with most votes: pages have up to four seals."""
_MARGIN = 0.04
"""What is taken around a seal, in parts of its radius."""


class Seal(NamedTuple):
    """An ellipse in pixels: its centre, its semi-axes, and by how many degrees the first is turned
    clockwise from the horizontal."""

    x: float
    y: float
    a: float
    b: float
    degrees: float

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1) around it."""
        turn = math.radians(self.degrees)
        wide = math.hypot(self.a * math.cos(turn), self.b * math.sin(turn))
        tall = math.hypot(self.a * math.sin(turn), self.b * math.cos(turn))
        return (
            math.floor(self.x - wide),
            math.floor(self.y - tall),
            math.ceil(self.x + wide),
            math.ceil(self.y + tall),
        )

    def grown(self, times: float) -> Seal:
        """The ellipse so many times as large around the same centre."""
        return self._replace(a=self.a * times, b=self.b * times)

    def enlarged(self, scale: float) -> Seal:
        """The same ellipse on the page at another scale."""
        return self.grown(scale)._replace(x=self.x * scale, y=self.y * scale)

    def is_like(self, other: Seal) -> bool:
        """Whether it is another fit to the same rim."""
        mine, its = max(self.a, self.b), max(other.a, other.b)
        near = math.hypot(self.x - other.x, self.y - other.y) < 0.35 * its
        return near and 0.7 < mine / its < 1.4


def without_seals(image: Image.Image) -> Image.Image:
    """The RGB page with red seals faded into the paper; the image itself where there is none."""
    import numpy as np
    from PIL import Image as PillowImage

    found = find_seals(image)
    if not found:
        return image
    pixels = np.array(image if image.mode == "RGB" else image.convert("RGB"))
    for seal in found:
        x0, y0, x1, y1 = seal.grown(1 + _MARGIN).box
        x0, y0 = max(x0, 0), max(y0, 0)
        patch = pixels[y0:y1, x0:x1]
        grown = seal.grown(1 + _MARGIN)._replace(x=seal.x - x0, y=seal.y - y0)
        patch[...] = np.where(_within(patch, grown)[..., None], _fade(patch), patch)
    return PillowImage.fromarray(pixels)


def _fade(patch: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Take the ink's own share of absorption out of the red channel, which then is the page's."""
    import cv2
    import numpy as np

    mask = _red(patch, _threshold(patch))
    if not mask.any():
        return patch
    light = patch[..., 0].astype(np.float32)
    paper = np.percentile(patch.reshape(-1, 3), 75, axis=0).astype(np.float32)
    depth = (light - patch[..., 1:].mean(axis=2)) / np.maximum(light, 1.0)
    bare = mask & (light > 0.6 * paper[0])
    if not bare.any():
        return patch
    full = max(float(np.percentile(depth[bare], 60)), 0.05)
    ink = float(np.clip(np.percentile(light[bare] / paper[0], 40), 0.6, 1.0))
    share = np.clip(depth / full, 0.0, 1.0)
    level = np.clip(light / (1.0 - (1.0 - ink) * share) / paper[0], 0.0, 1.0)
    around = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    faded = patch.copy()
    faded[around] = (level[..., None] * paper)[around].astype(np.uint8)
    return faded


def find_seals(image: Image.Image) -> list[Seal]:
    """The seals on an RGB page, in its pixels, the plainest rim first."""
    import cv2
    import numpy as np

    scale = max(image.width / _WORK, 1.0)
    size = (min(image.width, _WORK), max(round(image.height / scale), 1))
    if min(size) < _LEAST_SIDE:
        return []
    pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    soft = np.asarray(cv2.GaussianBlur(small, (0, 0), _SOFTENING), dtype=np.uint8)
    mask = _red(soft, _FAINT_RED).astype(np.uint8)
    if mask.sum() < _LEAST_RIM * _SMALLEST * size[0]:
        return []
    found: list[Seal] = []
    for guess in (*_outlines(mask), *_circles(mask)):
        if any(guess.is_like(seal) for seal in found):
            continue
        seal = _on_its_rim(mask, guess)
        if seal is None or any(seal.is_like(other) for other in found):
            continue
        if _density(mask, seal) <= _DENSEST:
            found.append(seal)
    return [seal.enlarged(scale) for seal in found]


def _outlines(mask: NDArray[np.uint8]) -> Iterator[Seal]:
    """Ellipses around the patches of red that are as large as a seal and stand alone, whole."""
    import cv2
    import numpy as np

    width = mask.shape[1]
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((_GAP, _GAP), np.uint8))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    for label, (x, y, wide, tall, _) in enumerate(stats[1:], 1):
        long, short = max(wide, tall), min(wide, tall)
        if not _SMALLEST <= long / width <= _LARGEST or short < _LEAST_ROUND * long:
            continue
        if x == 0 or y == 0 or x + wide == width or y + tall == mask.shape[0]:
            continue  # cut off by the page's edge, its outline is no ellipse
        patch = (slice(y, y + tall), slice(x, x + wide))
        ink = cv2.findNonZero(mask[patch] * (labels[patch] == label).astype(np.uint8))
        hull = cv2.convexHull(ink)[:, 0].astype(np.float32)
        corners = np.concatenate([hull, hull[:1]])
        # A hull's corners lie close together where it is round: evenly spaced, all of it counts alike.
        steps = np.hypot(*np.diff(corners, axis=0).T)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        at = np.linspace(0.0, along[-1], _ANGLES, endpoint=False)
        rim = np.stack([np.interp(at, along, corners[:, axis]) for axis in (0, 1)], axis=1)
        yield from _fitted(rim + np.array([x, y]))


def _circles(mask: NDArray[np.uint8]) -> Iterator[Seal]:
    """Circles whose red rim is worn, or touches other red ink, by the Hough transform (Duda and Hart
    1972); those that the page's edge cuts through have their centre on the page or close to it."""
    import cv2

    width = mask.shape[1]
    pad = round(_BEYOND * width)
    padded = cv2.copyMakeBorder(mask * 255, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(0,))
    small = cv2.resize(padded, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    circles: Any = cv2.HoughCircles(
        small,
        cv2.HOUGH_GRADIENT,
        dp=1.5,
        minDist=0.0125 * width,
        param1=100,
        param2=_VOTES,
        minRadius=max(round(_SMALLEST * width / 4), 3),
        maxRadius=round(_LARGEST_CIRCLE * width / 4),
    )
    if circles is None:
        return
    for x, y, radius in circles.reshape(-1, 3)[:_MOST_CIRCLES]:
        yield Seal(
            2 * float(x) - pad, 2 * float(y) - pad, 2 * float(radius), 2 * float(radius), 0.0
        )


def _on_its_rim(mask: NDArray[np.uint8], guess: Seal) -> Seal | None:
    """The ellipse along which the ink of a guessed one runs, where it is unbroken."""
    import numpy as np

    ink, inside, x, y = _rays(mask, guess, _LOOSE_BAND)
    rays = ink.any(axis=1)
    if rays.mean() < _RIM / 2:
        return None
    samples = ink.shape[1]
    outermost = samples - 1 - ink[:, ::-1].argmax(axis=1)
    # Where the page ends, the guess stands in for ink, or the fit would be drawn inwards.
    beyond = ~inside.all(axis=1)
    outermost[beyond] = samples // 2
    places = np.arange(_ANGLES)
    rim = np.stack([x[places, outermost], y[places, outermost]], axis=1)[rays | beyond]
    candidates = [(_coverage(mask, seal), seal) for seal in (guess, *_fitted(rim))]
    coverage, seal = max(
        ((share, seal) for share, seal in candidates if _has_form(mask, seal)),
        default=(0.0, guess),
    )
    return seal if coverage >= _RIM else None


def _has_form(mask: NDArray[np.uint8], seal: Seal) -> bool:
    """Whether it is as large and as round as seals are."""
    long, short = max(seal.a, seal.b), min(seal.a, seal.b)
    return short >= _LEAST_ROUND * long and _SMALLEST <= 2 * long / mask.shape[1] <= _LARGEST


def _coverage(mask: NDArray[np.uint8], seal: Seal) -> float:
    """Share of the circumference, as far as it is on the page, along which there is ink; 0 where most
    of it is not."""
    ink, inside, _, _ = _rays(mask, seal, _RIM_BAND)
    rays = inside.all(axis=1)
    return float(ink[rays].any(axis=1).mean()) if rays.mean() > 0.5 else 0.0


def _rays(
    mask: NDArray[np.uint8], seal: Seal, band: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Samples across the rim, within `band` of the radius on either side: whether there is ink, whether
    it is on the page, x and y; each of shape (angles, samples), from the inside outwards."""
    import numpy as np

    count = max(math.ceil(3 * band * max(seal.a, seal.b)), 5)
    reach = np.linspace(1.0 - band, 1.0 + band, count)
    angle = np.linspace(0.0, 2 * np.pi, _ANGLES, endpoint=False)[:, None]
    along, across = seal.a * reach * np.cos(angle), seal.b * reach * np.sin(angle)
    turn = math.radians(seal.degrees)
    x = seal.x + along * math.cos(turn) - across * math.sin(turn)
    y = seal.y + along * math.sin(turn) + across * math.cos(turn)
    column, row = x.round().astype(np.intp), y.round().astype(np.intp)
    height, width = mask.shape
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    ink = (mask[row.clip(0, height - 1), column.clip(0, width - 1)] > 0) & inside
    return ink, inside, x, y


def _fitted(points: NDArray[np.floating]) -> Iterator[Seal]:
    """The ellipse through points of shape (n, 2); none where they lie on no ellipse."""
    import cv2
    import numpy as np

    if len(points) < 5:
        return
    (x, y), (first, second), degrees = cv2.fitEllipseDirect(points.astype(np.float32))
    if np.isfinite([x, y, first, second, degrees]).all():
        yield Seal(x, y, first / 2, second / 2, degrees)


def _density(mask: NDArray[np.uint8], seal: Seal) -> float:
    """Share of the seal that is inked."""
    inside = _within(mask, seal)
    return float(mask[inside].mean()) if inside.any() else 1.0


def _within(pixels: NDArray[np.uint8], seal: Seal) -> NDArray[np.bool_]:
    """The pixels within its ellipse, of shape (height, width)."""
    import cv2
    import numpy as np

    inside = np.zeros(pixels.shape[:2], np.uint8)
    axes = (2 * seal.a, 2 * seal.b)
    cv2.ellipse(inside, ((seal.x, seal.y), axes, seal.degrees), (1,), cv2.FILLED)
    return inside > 0


def _threshold(patch: NDArray[np.uint8]) -> float:
    """How red ink is at least in the patch of a seal: half as red as most of it."""
    import numpy as np

    ink = _excess(patch)[_red(patch, _FAINT_RED)]
    most = float(np.percentile(ink, 75)) if ink.size else 0.0
    return min(max(most / 2, _FAINT_RED), _RED)


def _red(pixels: NDArray[np.uint8], least: float) -> NDArray[np.bool_]:
    """Where red stands above green and blue by `least` grey levels, and it is not gold."""
    import numpy as np

    red, green, blue = (pixels[..., channel].astype(np.int16) for channel in range(3))
    ink: NDArray[np.bool_] = (_excess(pixels) > least) & (green - blue < 0.5 * (red - green) + 10)
    return ink


def _excess(pixels: NDArray[np.uint8]) -> NDArray[np.int16]:
    """By how many grey levels red stands above green and blue, and above what it does on most of it:
    a warm light or a yellowed sheet is red all over."""
    import numpy as np

    red, green, blue = (pixels[..., channel].astype(np.int16) for channel in range(3))
    excess: NDArray[np.int16] = red - np.maximum(green, blue)
    base = max(int(np.median(excess)), 0) if excess.size else 0
    return excess - np.int16(base)

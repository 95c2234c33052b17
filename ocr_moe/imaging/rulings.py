"""Ruled lines on a page: where they run, and over which parts there is ink.

Lines are sought in narrow strips across them: in each the mean of a row of pixels is darker than what
is above and below it wherever a line crosses, dotted, faint or noisy as it may be, and a slanted or
bent one crosses neighbouring strips at neighbouring heights. What such a chain of places says is then
held against the pixels along it. Type, whose strokes form chains, too, is painted over before; where it
was, nothing is known of a line.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ocr_moe.types import Point, Quad, Rule, Rulings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Grey = NDArray[np.uint8]
    Floats = NDArray[np.float64]

_WIDEST = 1200
"""Pixels of a page's width beyond which it is made smaller first: lines stay visible."""
_STRIPS = 64
"""Strips across a page's width: wide enough to even noise out, and narrow enough for a slanted line not
to spread over many rows of one."""
_THICKEST = 1 / 90
"""Thickness of a line, or of a double one, in page widths, at most."""
_FAINTEST = 9.0
"""Steps of 255 by which a strip's mean is darker at a line than beside it."""
_EVENED = 5
"""Places along a line over which noise is evened out."""
_EVERY = 8
"""Rows of pixels of which every so manieth tells how noisy a page is."""
_OVER_NOISE = 1.2
"""How much darker than beside it a line is, in parts of the median step between neighbouring pixels."""
_STEEPEST = 0.12
"""Slope of a line that is called level or upright: perspective leaves as much."""
_BEND = 0.035
"""How much the slope changes from strip to strip."""
_MISSING = 3
"""Strips in which a broken line may not be seen."""
_SHORTEST = 4
"""Strips in which a line is seen at least …"""
_SEEN = 0.7
"""… and their share of those that it crosses."""
_STEP = 2
"""Pixels between the places at which a line is held against the page."""
_INKED = 0.92
"""Share of the places along a line that have ink, or are between dots."""
_KNOWN = 0.5
"""Share of the places along a line that are not under type, at least."""
_DOTS = 0.005
"""Room between dots, in page widths, at most; there is more between the strokes of characters."""
_LENGTHS = (0.1, 0.06)
"""Length of all the ink of a level and of an upright line, in page widths, at least: one that parts two
columns is as high as two rows."""
_HOLE = 0.035
"""Length without ink, in page widths, up to which a line is broken, or dotted, and goes on."""
_LEAST = 0.03
"""Length in page widths from which ink is part of a line."""


_CROSSING = 1 / 150
"""Width, in page widths, over which a level line crosses upright ones, blurred as it may be."""
_TYPE = (0.25, 0.12)
"""What of a line's box is not type, at its ends and above and below, in parts of its height: there rules
may run."""


def find_rulings(image: Image.Image, text: Iterable[Quad]) -> Rulings:
    """The ruled lines of a page on which the boxes `text` hold type, in fractions of its sides; none on
    one that is too small."""
    import cv2
    import numpy as np

    pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    if min(pixels.shape[:2]) < _STRIPS:
        return Rulings()
    # Coloured lines are darkest in one of the channels.
    red, green, blue = cv2.split(pixels)
    grey = cv2.min(cv2.min(red, green), blue)
    if grey.shape[1] > _WIDEST:
        size = (_WIDEST, round(grey.shape[0] * _WIDEST / grey.shape[1]))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    height, width = grey.shape
    unit = width
    paper, type_ = _without_type(np.asarray(grey, dtype=np.uint8), text)
    least, low = (length * width for length in _LENGTHS)
    level = _lines(paper, type_, unit, least)
    # Where level lines cross is no ink of upright ones.
    for line in level:
        places = np.rint(np.array(line.points)).astype(np.int32)
        cv2.polylines(type_, [places], False, [255], max(3, round(unit * _CROSSING)))
    upright = _lines(paper.T.copy(), type_.T, unit, low)
    across = [_scaled(each, width, height, False) for each in level]
    down = [_scaled(each, height, width, True) for each in upright]
    return Rulings(level=tuple(across), upright=tuple(down))


def _without_type(grey: Grey, text: Iterable[Quad]) -> tuple[Grey, Grey]:
    """The page with paper where type was, and a mask of where that is."""
    import cv2
    import numpy as np

    height, width = grey.shape
    paper, mask = grey.copy(), np.zeros_like(grey)
    for quad in text:
        corners = np.array(quad) * (width, height)
        along, down = corners[1] - corners[0], corners[3] - corners[0]
        tall, wide = float(np.hypot(*down)), float(np.hypot(*along))
        ends, edges = _TYPE
        if wide <= 2 * ends * tall or tall < 1:
            continue
        inward = along / wide * ends * tall
        signs = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
        inner = np.rint(corners + signs[:, :1] * inward + signs[:, 1:] * down * edges)
        inner = np.asarray(inner, dtype=np.int32)
        (x0, y0), (x1, y1) = np.clip(
            np.array([inner.min(0), inner.max(0)]), 0, (width, height)
        ).tolist()
        part = grey[y0:y1:2, x0:x1:2]
        if part.size:
            shade = int(np.partition(part, part.size * 4 // 5, axis=None)[part.size * 4 // 5])
            cv2.fillConvexPoly(paper, inner, [shade])
            cv2.fillConvexPoly(mask, inner, [255])
    return paper, mask


@dataclass(frozen=True)
class _Found:
    """A line in pixels: along it, and across."""

    points: tuple[Point, ...]
    ink: tuple[tuple[float, float], ...]


def _scaled(found: _Found, along: int, across: int, turned: bool) -> Rule:
    points = [(a / along, b / across) for a, b in found.points]
    if turned:
        points = [(b, a) for a, b in points]
    ink = tuple((start / along, end / along) for start, end in found.ink)
    return Rule(points=tuple(points), ink=ink)


@dataclass
class _Chain:
    strips: list[int] = field(default_factory=list)
    places: list[float] = field(default_factory=list)
    slope: float | None = None

    def at(self, strip: int) -> float:
        return self.places[-1] + (self.slope or 0.0) * (strip - self.strips[-1])


def _lines(grey: Grey, type_: Grey, unit: int, least: float) -> list[_Found]:
    """The lines that run along the rows of pixels."""
    import cv2
    import numpy as np

    height, width = grey.shape
    strips = max(round(width * _STRIPS / unit), _SHORTEST)
    means = cv2.resize(grey, (strips, height), interpolation=cv2.INTER_AREA)
    thick = 2 * round(unit * _THICKEST / 2) + 1
    tall = np.ones((2 * thick + 1, 1), np.uint8)
    darker = cv2.subtract(cv2.morphologyEx(means, cv2.MORPH_CLOSE, tall), means)
    near = cv2.dilate(darker, np.ones((3, 1), np.uint8))
    peaks = (darker >= _FAINTEST) & (darker == near)
    step = width / strips
    noise = float(np.median(cv2.absdiff(grey[::_EVERY, 1:], grey[::_EVERY, :-1])))
    faintest = max(_FAINTEST, _OVER_NOISE * noise)
    chains: list[_Chain] = []
    open_: list[_Chain] = []
    for strip in range(strips):
        places = np.flatnonzero(peaks[:, strip]).tolist()
        if not places:
            continue
        taken: set[int] = set()
        kept: list[_Chain] = []
        for chain in sorted(open_, key=lambda each: -len(each.strips)):
            away = strip - chain.strips[-1]
            reach = (_STEEPEST if chain.slope is None else _BEND) * step * away + 1.5
            expected = chain.at(strip)
            at = bisect_left(places, expected)
            best = min(
                (i for i in (at - 1, at) if 0 <= i < len(places) and i not in taken),
                key=lambda i: abs(places[i] - expected),
                default=None,
            )
            if best is not None and abs(places[best] - expected) <= reach:
                taken.add(best)
                chain.strips.append(strip)
                chain.places.append(float(places[best]))
                back = max(0, len(chain.strips) - 9)
                chain.slope = (chain.places[-1] - chain.places[back]) / (
                    chain.strips[-1] - chain.strips[back]
                )
                kept.append(chain)
            elif away <= _MISSING:
                kept.append(chain)
        fresh = [_Chain([strip], [float(p)]) for i, p in enumerate(places) if i not in taken]
        chains += fresh
        open_ = kept + fresh
    found = []
    for chain in chains:
        crossed = chain.strips[-1] - chain.strips[0] + 1
        if len(chain.strips) >= max(_SHORTEST, _SEEN * crossed):
            line = _held(grey, type_, chain, step, unit, thick, faintest)
            if line is not None and sum(end - start for start, end in line.ink) >= least:
                found.append(line)
    return _single(found, unit)


def _held(
    grey: Grey, type_: Grey, chain: _Chain, step: float, unit: int, thick: int, faintest: float
) -> _Found | None:
    """The line of a chain, if it has ink along it, and more than `faintest`."""
    import cv2
    import numpy as np

    height, width = grey.shape
    along = (np.array(chain.strips) + 0.5) * step
    across = np.array(chain.places)
    degree = 2 if len(along) >= 12 else 1
    curve = np.polynomial.Polynomial.fit(along, across, degree)
    off = np.abs(curve(along) - across)
    good = off <= max(1.5, 3 * float(np.median(off)))
    if good.sum() < max(_SHORTEST, 0.6 * len(along)):
        return None
    curve = np.polynomial.Polynomial.fit(along[good], across[good], degree)
    first = max(0.0, float(along[0]) - 1.5 * step)
    last = min(width - 1.0, float(along[-1]) + 1.5 * step)
    xs = np.arange(first, last, _STEP)
    ys = np.rint(curve(xs)).astype(int)
    reach = thick
    offsets = np.arange(-reach, reach + 1)
    rows = np.clip(ys[None, :] + offsets[:, None], 0, height - 1)
    window = grey[rows, xs.astype(int)[None, :]].astype(np.float32)
    # Noise evens out along a line.
    window = cv2.blur(window, (_EVENED, 1), borderType=cv2.BORDER_REPLICATE)
    ink = window[reach - 1 : reach + 2].min(axis=0)
    above, below = window[: reach - 2].max(axis=0), window[reach + 3 :].max(axis=0)
    contrast = np.minimum(above, below) - ink
    known = type_[np.clip(ys, 0, height - 1), xs.astype(int)] == 0
    if known.mean() < _KNOWN:
        return None
    inside = known & (xs >= along[0]) & (xs <= along[-1])
    if not inside.any():
        return None
    least = max(faintest, 0.4 * float(np.median(contrast[inside])))
    xs, dark = xs[known], contrast[known] >= least
    runs = _runs(dark, _DOTS * unit / _STEP, 1.0)
    whole = [(a, b) for a, b in runs if b - a >= _LEAST * unit / _STEP]
    spans = _joined(whole, _HOLE * unit / _STEP)
    if not spans:
        return None
    for a, b in runs:
        dark[a:b] = True
    if np.concatenate([dark[a:b] for a, b in spans]).mean() < _INKED:
        return None
    ends = [(float(xs[a]), float(xs[b - 1])) for a, b in spans]
    start, end = ends[0][0], ends[-1][1]
    places = np.linspace(start, end, 5 if degree == 2 else 2)
    points = tuple((float(x), float(curve(x))) for x in places)
    return _Found(points, tuple(ends))


def _runs(marked: NDArray[np.bool_], hole: float, least: float) -> list[tuple[int, int]]:
    """Where places are marked one after the other, short holes closed and short runs left out."""
    import numpy as np

    edges = np.flatnonzero(np.diff(np.concatenate([[0], marked.astype(np.int8), [0]])))
    runs = _joined([(int(a), int(b)) for a, b in edges.reshape(-1, 2)], hole)
    return [(start, end) for start, end in runs if end - start >= least]


def _joined(runs: list[tuple[int, int]], hole: float) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in runs:
        if joined and start - joined[-1][1] <= hole:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _single(found: list[_Found], unit: int) -> list[_Found]:
    """Of lines that run beside each other as a double one does, the longest."""
    import numpy as np

    kept: list[_Found] = []
    for line in sorted(found, key=lambda each: each.points[0][0] - each.points[-1][0]):
        xs = np.array([x for x, _ in line.points])
        ys = np.array([y for _, y in line.points])
        for other in kept:
            inside = (xs >= other.points[0][0]) & (xs <= other.points[-1][0])
            if inside.mean() < 0.5:
                continue
            theirs = np.interp(xs, [x for x, _ in other.points], [y for _, y in other.points])
            if np.abs(theirs - ys)[inside].max() <= _THICKEST * unit:
                break
        else:
            kept.append(line)
    return sorted(kept, key=lambda each: each.points[0][1])

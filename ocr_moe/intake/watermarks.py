"""Pages that are covered with a notice, such as 仅供入职审核使用, pale, aslant and over and over.

A page costs nothing more unless OCR found lines that run aslant, all at one angle. Those tell how pale
the notice is: all that is no darker is lifted to the paper, type under it stays, and the page is read
again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ocr_moe.geometry import distance
from ocr_moe.types import Line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

REVISION = 1
"""Changes when pages may be read otherwise; part of the key of page OCR."""

_MOST_SKEW = 20.0
"""Degrees by which a page's own rows may run up or down; of several groups of lines that do, they are
the most level one."""
_SPREAD = 5.0
"""Degrees within which lines run alike; perspective bends the rows of a photograph by up to three."""
_ASLANT = 8.0
"""Degrees between a notice and the page's rows, and its columns, from which it runs aslant."""
_STRIP = 1.5
"""Times as long as thick that a line must be to have a direction."""
_LEAST = (3, 0.3)
"""Lines of a notice, and their length together in page widths; a single line of that length does.
The words on a seal's rim run aslant as well, but each its own way."""
_LEAST_ROWS = 0.1
"""Length together, in page widths, of lines that are the page's rows."""
_PALER = 0.1
"""How much more light the notice reflects than type, in parts of the paper's."""
_PAPER = 0.95
"""Light, in parts of the paper's, above which there is no ink."""
_CORE = 0.2
"""Share of inked pixels that are darker than ink is taken to be: the others are edges of strokes."""
_BELOW = 0.04
"""What is lifted below the notice's level: its ink is uneven."""
_RAMP = 0.15
"""From there down, light over which lifting fades out, so that type keeps its edges."""
_PAPER_SIZE = 0.03
"""Size, in page widths, of the neighbourhood whose lightest place is paper: wider than any stroke."""


class _Run(NamedTuple):
    """A line of a page by its direction."""

    degrees: float
    """Clockwise from the horizontal, from -90 up to 90."""
    length: float
    """In page widths."""
    line: Line


def read_under_watermark(
    image: Image.Image, read: Callable[[Image.Image], tuple[Line, ...]]
) -> tuple[Line, ...]:
    """The lines of an RGB page without those of a notice printed all over it.

    `read` gives the lines of an image, in fractions of it; it is asked a second time only where there
    is such a notice. Of the two, what was read with more confidence is taken.
    """
    lines = read(image)
    notice, rows = _find_notice(lines, image.width, image.height)
    if not notice:
        return lines
    lifted = _lift(image, [run.line for run in notice], [run.line for run in rows])
    if lifted is None:
        return lines
    size = (image.width, image.height)
    readings = (read(lifted), lines)  # of two that are as good, the first
    best = max(readings, key=lambda each: _legibility(each, _mean(rows), *size))
    return _without(best, _mean(notice), *size)


def _find_notice(
    lines: Sequence[Line], width: int, height: int
) -> tuple[Sequence[_Run], Sequence[_Run]]:
    """The lines of a notice, empty where there is none, and those of the page's own rows."""
    runs = [run for line in lines if (run := _run(line, width, height)) is not None]
    groups = _groups(runs)
    level = [group for group in groups if _is_level(group)]
    if not level:
        return (), ()
    rows = min(level, key=lambda group: abs(_mean(group)))
    along = _mean(rows)
    for notice in groups:
        aslant = _ASLANT <= _apart(_mean(notice), along) <= 90 - _ASLANT
        if aslant and (len(notice) >= _LEAST[0] or notice[0].length >= _LEAST[1]):
            return (notice, rows) if _length(notice) >= _LEAST[1] else ((), ())
    return (), ()


def _is_level(group: Sequence[_Run]) -> bool:
    """Whether lines that run alike may be the page's rows."""
    return _length(group) >= _LEAST_ROWS and abs(_mean(group)) <= _MOST_SKEW


def _run(line: Line, width: int, height: int) -> _Run | None:
    """None for a line that is about as long as thick."""
    a, b, _, d = line.quad
    along, across = distance(a, b, width, height), distance(a, d, width, height)
    if along < across:
        b, along, across = d, across, along
    if along < _STRIP * across or len(line.text) < 2:
        return None
    degrees = math.degrees(math.atan2((b[1] - a[1]) * height, (b[0] - a[0]) * width))
    return _Run((degrees + 90) % 180 - 90, along / width, line)


def _groups(runs: Sequence[_Run]) -> list[list[_Run]]:
    """Lines that run alike, the longest first, the group that is longest altogether first."""
    rest = sorted(runs, key=lambda run: -run.length)
    groups = []
    while rest:
        alike = ([b for b in rest if _apart(a.degrees, b.degrees) <= _SPREAD] for a in rest)
        groups.append(max(alike, key=_length))
        taken = set(map(id, groups[-1]))
        rest = [run for run in rest if id(run) not in taken]
    return groups


def _length(runs: Sequence[_Run]) -> float:
    return sum(run.length for run in runs)


def _apart(a: float, b: float) -> float:
    """Degrees between two directions, 0-90."""
    return abs((a - b + 90) % 180 - 90)


def _mean(runs: Sequence[_Run]) -> float:
    """The mean direction, in degrees, of lines that run alike, by their lengths."""
    first = runs[0].degrees
    total = _length(runs)
    turned = ((run.degrees - first + 90) % 180 - 90 for run in runs)
    away = sum(turn * run.length for turn, run in zip(turned, runs, strict=True)) / total
    return (first + away + 90) % 180 - 90


def _legibility(lines: Sequence[Line], degrees: float, width: int, height: int) -> float:
    """Characters read with confidence in lines at this angle; doubtful ones count little."""
    runs = (_run(line, width, height) for line in lines)
    alike = (run.line for run in runs if run and _apart(run.degrees, degrees) <= _SPREAD)
    return sum(len(line.text) * line.confidence**4 for line in alike)


def _without(lines: Sequence[Line], degrees: float, width: int, height: int) -> tuple[Line, ...]:
    """The lines that do not run at this angle."""
    runs = ((line, _run(line, width, height)) for line in lines)
    return tuple(
        line for line, run in runs if run is None or _apart(run.degrees, degrees) > _SPREAD
    )


def _lift(image: Image.Image, notice: Sequence[Line], rows: Sequence[Line]) -> Image.Image | None:
    """The page with all ink that is as pale as the notice's turned to paper; None where the notice is
    no paler than the page's type."""
    import cv2
    import numpy as np
    from PIL import Image as module

    pixels = np.asarray(image.convert("RGB"))
    paper = _paper(pixels)
    light = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    light /= np.maximum(cv2.cvtColor(paper, cv2.COLOR_RGB2GRAY), 1)
    inks = [_ink(light, lines) for lines in (rows, notice)]
    if not all(ink.size for ink in inks):
        return None
    dark, pale = (float(np.quantile(ink, _CORE)) for ink in inks)
    if pale < dark + _PALER:
        return None
    # Where the notice crosses type its lines hold type as well.
    top = float(np.quantile(inks[1][inks[1] > dark], _CORE)) - _BELOW
    bottom = max(top - _RAMP, min(dark, top - _BELOW))
    share = np.clip((light - bottom) / (top - bottom), 0.0, 1.0)[..., None]
    lifted = pixels + share * (paper.astype(np.float32) - pixels)
    return module.fromarray(lifted.astype(np.uint8))


def _paper(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The colour of the paper around every pixel."""
    import cv2
    import numpy as np

    small = cv2.resize(pixels, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    side = max(round(_PAPER_SIZE * small.shape[1]), 3)
    closed = cv2.morphologyEx(
        small, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8), borderType=cv2.BORDER_REPLICATE
    )
    size = (pixels.shape[1], pixels.shape[0])
    return np.asarray(cv2.resize(closed, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _ink(light: NDArray[np.float32], lines: Sequence[Line]) -> NDArray[np.float32]:
    """How light the inked pixels within lines are, in parts of the paper's light."""
    import cv2
    import numpy as np

    height, width = light.shape
    inside = np.zeros(light.shape, np.uint8)
    for line in lines:
        corners = np.array([(x * width, y * height) for x, y in line.quad])
        cv2.fillConvexPoly(inside, corners.round().astype(np.int32), (1,))
    return light[(inside > 0) & (light < _PAPER)]

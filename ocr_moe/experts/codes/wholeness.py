"""Whether a code was seen whole: what stands where a further character of it would stand.

A number that runs out of the picture, or whose first digit a seal or a frame has swallowed, may read
like a shorter one that is whole. The pixels tell: its characters stand at a steady pitch, and one
pitch before the first and after the last there is either paper, or a glyph that the recogniser took
for something else (a label's colon, a bracket), or ink that nobody has accounted for.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from ocr_moe.codes.finding import Strip
from ocr_moe.codes.placing import Spelled
from ocr_moe.codes.posterior import OTHER
from ocr_moe.imaging.linecrops import crop_strip

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    Floats = NDArray[np.float64]

_ROOM = 1.5
"""How far the strip is widened at both ends, in its heights: two characters of any typeface."""
_FAINT = 0.25
"""Darkness, as a share of the type's, up to which a pixel is taken for paper, noise or a shadow."""
_GRAIN = 15
"""Percentile of a code's columns that has no more ink than paper: the gaps between its characters."""
_COLOUR = 20
"""Steps of 255 between a pixel's channels, beyond the paper's own, from which its ink is coloured."""
_SPARE = 0.15
"""Share of the rows on which a code stands that is left out at either side."""
_HALF = 0.5
"""Half a pitch: what belongs to a character on either side of its middle."""
_CUT = 0.65
"""Pitches between the outermost ink and the picture's edge below which the code may have been cut:
typefaces leave a fifth of a pitch between two digits, and of a slim one such as 1 the half that is left
shows no ink."""
_CUT_INK = 0.1
"""Ink of half a character, as a share of a whole one's, where the picture ends before there was room
for it."""


@dataclass(frozen=True)
class Ends:
    """What stands where a code ends, or might go on."""

    cut: bool = False
    """Whether the picture ends before a further character could stand."""
    ink_before: float = 0.0
    ink_after: float = 0.0
    """Ink where a further character would stand that no glyph accounts for, as a share of what the
    code's own characters have, 0-2."""
    ink_between: float = 0.0
    """Ink between two neighbours that stand far apart, as such a share."""

    @property
    def features(self) -> dict[str, float]:
        """By the names under which a reading tells of them."""
        return {name: float(value) for name, value in asdict(self).items()}


def ends_of(
    image: Image.Image,
    spelled: Sequence[Spelled],
    treat: Callable[[Image.Image], Image.Image],
) -> Ends | None:
    """The ends of a code that stands on these strips of the page `image`, one after the other.

    `treat` fades what is not the code's ink. None where too few characters tell the pitch.
    """
    if not spelled or min(len(part.middles) for part in spelled) < _LEAST:
        return None
    looks = [_Look(image, part, treat) for part in spelled]
    first, last = looks[0], looks[-1]
    return Ends(
        cut=first.cut_before() or last.cut_after(),
        ink_before=first.ink_at(first.middles[0] - first.pitch),
        ink_after=last.ink_at(last.middles[-1] + last.pitch),
        ink_between=max(look.ink_in_gaps() for look in looks),
    )


_NEAR = 0.75
"""Pitches from where a character would stand up to which another glyph stands there in its stead."""
_MARKS = frozenset(f"{OTHER}:：.。,，;；、()（）[]【】<>《》-－—·")
"""What stands beside numbers, or parts their groups, and is none of their characters."""
_LEAST = 4
"""Characters on a strip from which their pitch can be told."""
_APART = 1.6
"""Pitches between the middles of two neighbours from which a character may have stood between."""


class _Look:
    """One strip with room at both ends; all positions in pixels of its crop."""

    def __init__(
        self,
        image: Image.Image,
        part: Spelled,
        treat: Callable[[Image.Image], Image.Image],
    ) -> None:
        import numpy as np

        strip = part.strip
        wide = replace(strip, before=strip.before + _ROOM, after=strip.after + _ROOM)
        crop = crop_strip(image, wide, padding=0.0)
        self._width = float(crop.width)
        (left, right), length, height = _along(image, strip)
        total = length + (wide.before + wide.after) * height
        own = length + (strip.before + strip.after) * height

        def placed(x: float) -> float:
            return (x * own + _ROOM * height) / total * self._width

        self.middles = [placed(x) for x in part.middles]
        self._glyphs = [(placed(x), glyph) for x, glyph in part.glyphs]
        self.pitch = float(np.median(np.diff(self.middles)))
        # The picture's edges on the strip's own line.
        self._left = (left + wide.before * height) / total * self._width
        self._right = (right + wide.before * height) / total * self._width
        self._ink = _profile(crop, treat(crop), self.middles, self.pitch)
        self._typical = max(float(np.median([self._mass(x) for x in self.middles])), 1e-6)

    def _mass(self, x: float) -> float:
        """Ink within half a pitch of `x`, within the picture."""
        low = max(round(x - _HALF * self.pitch), math.ceil(self._left), 0)
        high = min(round(x + _HALF * self.pitch), math.floor(self._right), len(self._ink))
        return float(self._ink[low:high].sum()) if high > low else 0.0

    def ink_at(self, x: float) -> float:
        """Ink around `x`, as a share of a character's; none where a label or a mark stands."""
        near = [glyph for at, glyph in self._glyphs if abs(at - x) < _NEAR * self.pitch]
        if any(glyph.isalpha() or glyph in _MARKS for glyph in near):
            return 0.0
        return min(self._mass(x) / self._typical, 2.0)

    def ink_in_gaps(self) -> float:
        worst = 0.0
        for a, b in pairwise(self.middles):
            if b - a > _APART * self.pitch:
                worst = max(worst, self.ink_at((a + b) / 2))
        return worst

    def cut_before(self) -> bool:
        """Whether the picture ends in, or right before, a further character."""
        first = self.middles[0]
        return self._cut(self._outermost(first, -1) - self._left, first - self.pitch)

    def cut_after(self) -> bool:
        last = self.middles[-1]
        return self._cut(self._right - self._outermost(last, 1), last + self.pitch)

    def _cut(self, room: float, further: float) -> bool:
        """`room`: from the code's ink to the edge; `further`: where a character would stand."""
        if room < _CUT * self.pitch:
            return True
        whole = self._left + _HALF * self.pitch <= further <= self._right - _HALF * self.pitch
        return not whole and self._mass(further) > _CUT_INK * self._typical

    def _outermost(self, x: float, way: int) -> float:
        """How far the ink of the character at `x` reaches in a direction."""
        darkest = float(self._ink.max()) or 1.0
        reach = [
            at
            for at in range(round(x - _HALF * self.pitch), round(x + _HALF * self.pitch) + 1)
            if 0 <= at < len(self._ink) and self._ink[at] > 0.15 * darkest
        ]
        return float(max(reach, key=lambda at: way * at)) if reach else x


def _along(image: Image.Image, strip: Strip) -> tuple[tuple[float, float], float, float]:
    """((where the picture begins, where it ends), length, height) in pixels along the strip.

    The first two are measured from the strip's own left end.
    """
    tl, tr, br, bl = [(x * image.width, y * image.height) for x, y in strip.quad]
    height = max((math.dist(tl, bl) + math.dist(tr, br)) / 2, 2.0)
    start = ((tl[0] + bl[0]) / 2, (tl[1] + bl[1]) / 2)
    end = ((tr[0] + br[0]) / 2, (tr[1] + br[1]) / 2)
    length = max(math.dist(start, end), 1.0)
    low, high = -math.inf, math.inf
    for at, step, size in (
        (start[0], (end[0] - start[0]) / length, image.width),
        (start[1], (end[1] - start[1]) / length, image.height),
    ):
        if abs(step) > 0.2:  # else the line runs along this edge, and never meets it
            bounds = sorted((-at / step, (size - at) / step))
            low, high = max(low, bounds[0]), min(high, bounds[1])
    return (low, high), length, height


def _profile(
    plain: Image.Image, treated: Image.Image, middles: Sequence[float], pitch: float
) -> Floats:
    """Ink of every column, 0-1: the mean darkness over the rows on which the code stands.

    Coloured ink, a seal's rim, does not count, and what every column has, the grain of a noisy
    photograph or a shadow, is taken off.
    """
    import numpy as np

    grey = np.asarray(treated.convert("L")).astype(np.float64)
    low = max(round(middles[0] - _HALF * pitch), 0)
    high = min(round(middles[-1] + _HALF * pitch), grey.shape[1])
    own = grey[:, low:high]
    paper, dark = float(np.percentile(own, 75)), float(np.percentile(own, 3))
    ink = np.clip((paper - grey) / max(paper - dark, 1.0), 0.0, 1.0)
    ink = np.clip((ink - _FAINT) / (1.0 - _FAINT), 0.0, 1.0)
    black = np.where(_coloured(plain), 0.0, ink)
    if black[:, low:high].sum() > 0.5 * ink[:, low:high].sum():
        ink = black  # else the code itself is printed in colour
    rows = ink[:, low:high].mean(axis=1)
    inked = np.flatnonzero(rows > 0.3 * max(float(rows.max()), 1e-6))
    # The middle of them: a frame or a rule close by may reach into the others where it slants.
    spare = round(_SPARE * (inked[-1] - inked[0]))
    columns = ink[inked[0] + spare : inked[-1] + 1 - spare].mean(axis=0)
    grain = float(np.percentile(columns[low:high], _GRAIN))
    return np.asarray(np.clip(columns - grain, 0.0, None), np.float64)


def _coloured(image: Image.Image) -> NDArray[np.bool_]:
    """Which pixels have more colour than the paper, those right beside them included."""
    import cv2
    import numpy as np

    pixels = cv2.blur(np.asarray(image.convert("RGB")), (3, 3)).astype(np.int16)
    colour = pixels.max(axis=2) - pixels.min(axis=2)
    strong = (colour > np.median(colour) + _COLOUR).astype(np.uint8)
    return np.asarray(cv2.dilate(strong, np.ones((3, 3), np.uint8)), bool)

"""Telling whether there may be text among the pixels that are left of a page without its text layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocr_moe.intake.seals import without_seals

if TYPE_CHECKING:
    from PIL import Image

_DARKER = 40
"""Grey levels by which ink differs from the paper around it."""
_KERNEL = 121
"""Pixels of the square that is larger than any character: closing with it leaves the paper."""
_HEIGHTS = (5, 120)
"""Pixels of a character on a page of 1,400: of 3 points on A4, and of a title's."""
_SLENDER = 12
"""Times its height that a character and what touches it may be wide; rules are longer."""
_LEVEL = 0.5
"""How far the middles of two characters of a line stand apart at most, in heights of the higher."""
_NEAR = 1.5
"""The same for the gap between them."""
_LIKE = 2.0
"""How many times as high as the other either of them may be."""


def may_hold_text(image: Image.Image) -> bool:
    """Whether two shapes of a character's size stand side by side anywhere on an RGB page.

    Rules, frames, seals and single emblems do not count; most pictures do, which costs a reading and
    loses nothing.
    """
    if image.getcolors(1):
        return False
    import cv2
    import numpy as np

    grey = np.asarray(without_seals(image).convert("L"))
    kernel = np.ones((_KERNEL, _KERNEL), np.uint8)
    paper = cv2.morphologyEx(grey, cv2.MORPH_CLOSE, kernel).astype(np.int16)
    ground = cv2.morphologyEx(grey, cv2.MORPH_OPEN, kernel).astype(np.int16)
    return _has_neighbours(paper - grey > _DARKER) or _has_neighbours(grey - ground > _DARKER)


def _has_neighbours(ink: object) -> bool:
    import cv2
    import numpy as np

    mask = np.asarray(ink, dtype=np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    least, most = _HEIGHTS
    shapes = [
        (int(x), int(y), int(width), int(height))
        for x, y, width, height, _ in stats[1:]
        if least <= height <= most and 1 < width <= _SLENDER * height
    ]
    shapes.sort()
    for index, (x, y, width, height) in enumerate(shapes):
        for other_x, other_y, _, other_height in shapes[index + 1 :]:
            gap = other_x - x - width
            if gap > _NEAR * most:
                break
            higher, lower = max(height, other_height), min(height, other_height)
            apart = abs(y + height / 2 - other_y - other_height / 2)
            if higher <= _LIKE * lower and apart <= _LEVEL * higher and gap <= _NEAR * higher:
                return True
    return False

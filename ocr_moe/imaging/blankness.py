"""Whether a part of a page is empty: no ink but that of ruled lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ocr_moe.types import Box

if TYPE_CHECKING:
    from PIL import Image

_DARKER = 40
"""Steps of 255 by which a pixel is darker than its paper from which it is ink: faint handwriting is."""
_RULE = 0.6
"""Share of a row or column that is ink from which it belongs to a ruled line."""
_RULE_EDGE = 2
"""Pixels beside a ruled line that are its blurred edge."""
_SPECKS = 0.002
"""Share of ink that noise and specks of dust have; one small character in a box has twice as much."""
_LEAST_SIDE = 6
"""Pixels of a side below which nothing can be told."""


def is_blank(image: Image.Image, box: Box) -> bool:
    """Whether nothing is written within `box` (fractions of the page); False where it is too small to
    tell."""
    import numpy as np

    width, height = image.size
    x0, y0 = max(round(box[0] * width), 0), max(round(box[1] * height), 0)
    x1, y1 = min(round(box[2] * width), width), min(round(box[3] * height), height)
    if x1 - x0 < _LEAST_SIDE or y1 - y0 < _LEAST_SIDE:
        return False
    grey = np.asarray(image.crop((x0, y0, x1, y1)).convert("L"), dtype=np.int16)
    ink = grey < np.median(grey) - _DARKER
    for axis in (0, 1):
        rules = ink.mean(axis=axis) >= _RULE
        near = np.convolve(rules, np.ones(2 * _RULE_EDGE + 1), mode="same") > 0
        ink[(slice(None), near) if axis == 0 else (near, slice(None))] = False
    return bool(ink.mean() <= _SPECKS)

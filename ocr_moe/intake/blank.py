"""Telling blank paper from a page that nobody could read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

_WIDTH = 800
"""Pixels of the longer side at which ink is looked for."""
_MARGIN = 0.05
"""Share of each side in which scanners leave shadows, and binders holes."""
_DARKER = 40
"""Grey levels by which ink is darker than the paper around it; the other side's print, seen
through, is less."""
_INK = 0.0005
"""Share of inked pixels up to which a page is blank: a line of small type has twice that, specks of
dust a tenth."""
_PAPER = 100
"""Grey level that most of a page must have to be paper at all: a lens cap is no blank page."""


def is_blank(image: Image.Image) -> bool:
    """Whether the page is paper without ink."""
    import cv2
    import numpy as np

    grey = np.asarray(image.convert("L"))
    scale = _WIDTH / max(grey.shape)
    if scale < 1:
        size = (max(round(grey.shape[1] * scale), 1), max(round(grey.shape[0] * scale), 1))
        grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA))
    height, width = grey.shape
    down, across = int(height * _MARGIN), int(width * _MARGIN)
    inner = np.ascontiguousarray(grey[down : height - down, across : width - across])
    if float(np.median(inner)) < _PAPER:
        return False
    # Type is thinner than the kernel: closing it leaves the paper, shadows included.
    paper = cv2.morphologyEx(inner, cv2.MORPH_CLOSE, np.ones((41, 41), np.uint8))
    ink = paper.astype(np.int16) - inner > _DARKER
    large = abs(float(np.median(inner)) - paper.astype(np.float32)) > 2 * _DARKER
    return float((ink | large).mean()) <= _INK

"""Pictures of the places where values stand, small enough to live inside a page."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING

from ocr_moe.imaging.jpeg import jpeg
from ocr_moe.types import Box, Record

if TYPE_CHECKING:
    from PIL import Image

ImageSource = Callable[[Record, int], "Image.Image | None"]
"""(record, page counted from 1) → the righted page, or None where it cannot be had."""

_MAX_WIDTH = 760
_MAX_HEIGHT = 420
_PAGE_SIDE = 460
_QUALITY = 80


def crop(page: Image.Image, box: Box) -> str:
    """The surroundings of a box (fractions of the page) as a data URL."""
    width, height = page.size
    x0, y0, x1, y1 = (min(max(side, 0.0), 1.0) for side in box)
    tall = max(y1 - y0, 0.008)
    wide = max(x1 - x0, 0.02)
    area = (
        int(max(0.0, x0 - 0.06 - wide * 0.08) * width),
        int(max(0.0, y0 - tall * 0.9) * height),
        int(min(1.0, x1 + 0.06 + wide * 0.08) * width) or 1,
        int(min(1.0, y1 + tall * 0.9) * height) or 1,
    )
    left, top = min(area[0], width - 1), min(area[1], height - 1)
    right, bottom = max(area[2], left + 1), max(area[3], top + 1)
    return _address(page.crop((left, top, right, bottom)), (_MAX_WIDTH, _MAX_HEIGHT))


def whole(page: Image.Image) -> str:
    """The whole page, small, as a data URL."""
    return _address(page, (_PAGE_SIDE, _PAGE_SIDE))


def _address(image: Image.Image, size: tuple[int, int]) -> str:
    picture = jpeg(image, size, _QUALITY, smallest=True)
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode("ascii")

"""Cutting a field's expected region out of a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ocr_moe.protocols import Page
from ocr_moe.regions import field_region
from ocr_moe.schema import Field, Schema
from ocr_moe.types import Box

if TYPE_CHECKING:
    from PIL import Image


_MAX_ASPECT = 4.0
"""Longest shape of a crop: long side over short side."""


def locate(schema: Schema, field: Field, pages: Sequence[Page]) -> tuple[Page, Box] | None:
    """The first page on which the field's region can be told from the text, and the region."""
    for page in pages:
        region = field_region(schema, field, page.text)
        if region is not None:
            return page, region
    return None


def cut(image: Image.Image, box: Box, magnify: float, max_side: int) -> Image.Image:
    """The region in pixels, magnified by at most `magnify` and to at most `max_side` pixels.

    A long and narrow region is put in the middle of a canvas of its own mean colour, since text
    detectors blow up the short side and vision encoders refuse extreme shapes.
    """
    from PIL import Image as PillowImage

    width, height = image.size
    x0, y0 = int(box[0] * width), int(box[1] * height)
    x1, y1 = max(x0 + 1, round(box[2] * width)), max(y0 + 1, round(box[3] * height))
    crop = shrink(image.crop((x0, y0, x1, y1)), magnify, max_side)
    least = round(max(crop.size) / _MAX_ASPECT)
    canvas_size = (max(crop.width, least), max(crop.height, least))
    if canvas_size == crop.size:
        return crop
    mean = crop.resize((1, 1), PillowImage.Resampling.BOX).getpixel((0, 0))
    canvas = PillowImage.new(crop.mode, canvas_size, mean)
    canvas.paste(crop, ((canvas_size[0] - crop.width) // 2, (canvas_size[1] - crop.height) // 2))
    return canvas


def shrink(image: Image.Image, magnify: float, max_side: int) -> Image.Image:
    """The image `magnify` times as large, but no side longer than `max_side` pixels."""
    from PIL import Image as PillowImage

    scale = min(magnify, max_side / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image if size == image.size else image.resize(size, PillowImage.Resampling.LANCZOS)

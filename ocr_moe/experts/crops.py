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


def locate(schema: Schema, field: Field, pages: Sequence[Page]) -> tuple[Page, Box] | None:
    """The first page on which the field's region can be told from the text, and the region."""
    for page in pages:
        region = field_region(schema, field, page.text)
        if region is not None:
            return page, region
    return None


def cut(image: Image.Image, box: Box, magnify: float, max_side: int) -> Image.Image:
    """The region in pixels, magnified by at most `magnify` and to at most `max_side` pixels."""
    from PIL import Image as PillowImage

    width, height = image.size
    x0, y0 = int(box[0] * width), int(box[1] * height)
    x1, y1 = max(x0 + 1, round(box[2] * width)), max(y0 + 1, round(box[3] * height))
    crop = image.crop((x0, y0, x1, y1))
    scale = min(magnify, max_side / max(crop.size))
    size = (max(1, round(crop.width * scale)), max(1, round(crop.height * scale)))
    return crop if size == crop.size else crop.resize(size, PillowImage.Resampling.LANCZOS)

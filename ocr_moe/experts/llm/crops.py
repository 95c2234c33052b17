"""Cutting a field's expected region out of a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ocr_moe.experts.llm.regions import field_region
from ocr_moe.geometry import hull
from ocr_moe.protocols import Page
from ocr_moe.schema import Field, Schema
from ocr_moe.types import Box

if TYPE_CHECKING:
    from PIL import Image


_MAX_ASPECT = 4.0
"""Longest shape of a crop: long side over short side."""
_SHARE = 0.6
"""Regions that have so much of the smaller one in common are one place."""
_TYPE_HEIGHT = 48.0
"""Pixels of a text line at which PP-OCR recognisers work; larger type gains nothing."""


@dataclass(frozen=True)
class Place:
    """A region of a page where one field or several are expected."""

    page: Page
    box: Box
    fields: tuple[Field, ...]


def locate(
    schema: Schema, fields: Sequence[Field], pages: Sequence[Page]
) -> tuple[list[Place], list[Field]]:
    """Where the fields stand, and the fields of which no text tells.

    Fields whose regions largely coincide (the prose of a diploma) share a place.
    """
    places: list[Place] = []
    unknown: list[Field] = []
    for field in fields:
        found = _first(schema, field, pages)
        if found is None:
            unknown.append(field)
            continue
        page, box = found
        for index, place in enumerate(places):
            if place.page is page and _coincide(place.box, box):
                shared = (*place.fields, field)
                places[index] = Place(page, hull((place.box, box)), shared)
                break
        else:
            places.append(Place(page, box, (field,)))
    return places, unknown


def needed_magnification(place: Place, most: float) -> float:
    """How much a crop must be enlarged for its type to have the recogniser's height, up to `most`."""
    x0, y0, x1, y1 = place.box
    heights = [
        (line.box[3] - line.box[1]) * place.page.image.height
        for line in place.page.text.lines
        if x0 <= (line.box[0] + line.box[2]) / 2 <= x1
        and y0 <= (line.box[1] + line.box[3]) / 2 <= y1
    ]
    if not heights:
        return most
    return min(most, max(1.0, _TYPE_HEIGHT / max(1.0, min(heights))))


def _first(schema: Schema, field: Field, pages: Sequence[Page]) -> tuple[Page, Box] | None:
    for page in pages:
        region = field_region(schema, field, page.text)
        if region is not None:
            return page, region
    return None


def _coincide(one: Box, other: Box) -> bool:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return False
    return width * height >= _SHARE * min(_area(one), _area(other))


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


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

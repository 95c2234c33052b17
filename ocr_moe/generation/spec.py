"""What one image is asked to be, and what came of it."""

from __future__ import annotations

from typing import NamedTuple

from PIL import Image
from pydantic import Field

from ocr_moe.generation.damage import LEVELS
from ocr_moe.generation.facts import Facts, Rows
from ocr_moe.generation.fonts import FontBook
from ocr_moe.types import Box, Quad, Value

LEVEL_NAMES = tuple(LEVELS)


class Spec(Value):
    """Everything that decides the pixels of one image; equal specs give equal bytes."""

    layout: str
    facts: Facts
    level: str
    seed: int
    fonts: FontBook
    second_seal: bool = False
    """Whether a seal lies over the number."""
    notice: bool = False
    """Whether a notice is printed all over the damaged page, as people mark copies they hand in."""
    rotation: int = 0
    """Degrees clockwise by which the finished image must be turned to be upright."""
    exif: bool = False
    """Whether that turn is recorded in the file's EXIF data, so that viewers do it."""
    width: int = Field(default=1500, ge=400, le=6000)
    """Pixels of the page before damage."""
    suffix: str = ".jpg"


class Rendered(NamedTuple):
    """An image with its truth."""

    image: Image.Image
    """Before `rotation` and before encoding."""
    truth: dict[str, str | None]
    """Every field of the schema; None where it is not printed."""
    tables: dict[str, Rows]
    """The schema's tables, row by row."""
    boxes: dict[str, list[Quad]]
    """Where each field stands, piece by piece, in fractions of the upright image."""
    fonts: tuple[str, ...]
    quality: int
    """Of the JPEG encoder, as drawn for the damage level."""
    settings: dict[str, float]
    """The damage that was drawn; `notice` is by how many degrees one runs up, where there is one."""


class Sample(Value):
    """A written image: a line of samples.jsonl."""

    file: str
    schema_name: str = Field(serialization_alias="schema")
    layout: str
    level: str
    seed: int
    rotation: int
    exif: bool
    second_seal: bool
    fonts: tuple[str, ...]
    width: int
    height: int
    """Pixels of the upright image."""
    damage: dict[str, float]
    boxes: dict[str, Box]
    """The hull of each field's value, in fractions of the upright image."""
    quads: dict[str, tuple[Quad, ...]]
    """The pieces of each field's value: one quadrilateral a line, reading order of corners."""
    truth: dict[str, str | None]
    tables: dict[str, Rows] = Field(default={}, exclude_if=lambda tables: not tables)

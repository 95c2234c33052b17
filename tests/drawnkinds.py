"""The shipped kinds of documents for tests: their schemas, what is drawn of them, and pages as engines
read them."""

from __future__ import annotations

from itertools import islice
from random import Random

from PIL import Image

from ocr_moe.generation.facts import Facts
from ocr_moe.generation.kinds import kind_of
from ocr_moe.generation.layouts import select
from ocr_moe.protocols import OcrEngine
from ocr_moe.schema import Schema, load_schema
from ocr_moe.types import PageText
from ocr_moe.values.normalize import equal, normalize
from ocr_moe.workshop.config import shipped_schemas

SHIPPED = {name: load_schema(path) for name, path in shipped_schemas().items()}
DRAWN = 80


def drawn(kind: str, count: int = DRAWN) -> list[Facts]:
    documents = kind_of(kind).documents(Random(7), select(kind, ("standard", "heldout")))
    return [facts for facts, _ in islice(documents, count)]


def is_well_formed(schema: Schema, name: str, value: str) -> bool:
    """Whether a value of the truth is one that the field can hold, as it writes it."""
    written = normalize(schema.field(name), value)
    return written is not None and equal(schema.field(name), written, value)


def read_by(engine: OcrEngine, image: Image.Image) -> PageText:
    """An upright page as an engine reads it."""
    width, height = image.size
    return PageText(
        engine="ppocr", width=width, height=height, rotation=0, lines=engine.read(image)
    )

"""Pages of OCR lines, set up in code: one text row a line, boxes parted by `|`.

`>>text` stands two steps further right, `@0.5 text` begins at half the page's width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from ocr_moe.schema import Schema
from ocr_moe.types import DocumentRef, Line, PageText, Point

INDENT = 0.05
"""Width of one leading `>` of a box."""


def page(
    rows: str,
    *,
    turned: float = 0.0,
    width: int = 1500,
    height: int = 1060,
    type_size: float = 0.028,
    pitch: float = 0.055,
    confidence: float = 0.99,
) -> PageText:
    """`rows` as an engine would read them; `turned` slants the page by that many degrees."""
    lines: list[Line] = []
    y = 0.1
    for row in rows.strip("\n").split("\n"):
        x = 0.1
        for box in row.split("|"):
            if box.startswith("@"):
                place, box = box[1:].split(" ", 1)
                x = float(place)
            text = box.lstrip(">")
            x += INDENT * (len(box) - len(text))
            wide = sum(1.0 if ord(char) > 255 else 0.55 for char in text)
            wide *= type_size * height / width
            if text.strip():
                corners = ((x, y), (x + wide, y), (x + wide, y + type_size), (x, y + type_size))
                a, b, c, d = (_turn(corner, turned, height / width) for corner in corners)
                lines.append(Line(text=text, confidence=confidence, quad=(a, b, c, d)))
            x += wide + 0.012
        y += pitch
    return PageText(engine="test", width=width, height=height, rotation=0, lines=tuple(lines))


def _turn(point: Point, degrees: float, aspect: float) -> Point:
    angle = math.radians(degrees)
    x, y = point[0] - 0.5, (point[1] - 0.5) * aspect
    u = x * math.cos(angle) - y * math.sin(angle)
    v = x * math.sin(angle) + y * math.cos(angle)
    return (u + 0.5, v / aspect + 0.5)


@dataclass(frozen=True)
class TextPage:
    text: PageText
    number: int = 1


@dataclass(frozen=True)
class TextDocument:
    """A document whose pages have text and no pixels."""

    schema: Schema
    pages: Sequence[TextPage]
    ref: DocumentRef = field(default_factory=lambda: DocumentRef(path="page.jpg", sha256="0" * 64))

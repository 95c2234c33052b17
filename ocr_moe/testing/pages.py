"""Documents and pages, set up in code: OCR lines drawn from rows of text, with pixels or without."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from ocr_moe.errors import DocumentError
from ocr_moe.schema import Schema
from ocr_moe.types import DocumentRef, Line, PageText, Point

if TYPE_CHECKING:
    from PIL import Image, ImageFont

INDENT = 0.05
"""Width of one leading `>` of a box, in parts of the page's width."""
TYPE_HEIGHT = 0.8
"""Height of printed type in parts of its line, which leaves room for what hangs below."""


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
    """`rows` as an engine would read them: one row of type a line, boxes parted by `|`.

    `>>text` stands two steps further right, `@0.5 text` begins at half the page's width.  `turned`
    slants the page by that many degrees; `type_size` and `pitch` are parts of its height.

    >>> text = page("毕业证书\\n姓名：张三|@0.5 性别：男")
    >>> [line.text for line in text.lines]
    ['毕业证书', '姓名：张三', '性别：男']
    >>> text.lines[2].box[0]
    0.5
    """
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


def picture(text: PageText) -> Image.Image:
    """The page in pixels: its lines in black on white where they stand, each within its box.

    ASCII is printed in Pillow's own face, all else in an installed one for Chinese.  Slanted lines
    are printed level.

    Raises:
        ConfigError: the page has Chinese text and no typeface for it is installed.

    >>> picture(page("Name: Jane Doe", width=600, height=400)).size
    (600, 400)
    """
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (text.width, text.height), "white")
    draw = ImageDraw.Draw(image)
    for line in text.lines:
        x0, y0, x1, y1 = line.box
        wide, tall = (x1 - x0) * text.width, (y1 - y0) * text.height
        face = _face(line.text, tall * TYPE_HEIGHT)
        shrink = min(1.0, wide / max(face.getlength(line.text), 1.0))
        face = _face(line.text, tall * TYPE_HEIGHT * shrink)
        place = (x0 * text.width, (y0 + y1) / 2 * text.height)
        draw.text(place, line.text, fill="black", font=face, anchor="lm")
    return image


def _face(text: str, size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    if text.isascii():
        return ImageFont.load_default(size)
    from ocr_moe.generation.fonts import FontBook, load

    [face, *_] = FontBook.discover().of("hei")
    return load(face.path, face.index, max(1, round(size)))


class StubPage:
    """A page whose text and pixels are given, or made by a function when they are first asked for.

    A function may raise what a run's page would raise; a part that was not given raises
    DocumentError, so that a test tells what an expert looks at.

    >>> from PIL import Image
    >>> StubPage(page("姓名：张三")).text.lines[0].text
    '姓名：张三'
    >>> StubPage(image=Image.new("RGB", (60, 40))).image.size
    (60, 40)
    """

    def __init__(
        self,
        text: PageText | Callable[[], PageText] | None = None,
        image: Image.Image | Callable[[], Image.Image] | None = None,
        *,
        number: int = 1,
    ) -> None:
        self.number = number
        self._text = text
        self._image = image

    @cached_property
    def text(self) -> PageText:
        if self._text is None:
            raise DocumentError(f"page {self.number} of the test was given no text")
        return self._text if isinstance(self._text, PageText) else self._text()

    @property
    def is_given(self) -> bool:
        return self._text is not None and self.text.is_given

    @cached_property
    def image(self) -> Image.Image:
        if self._image is None:
            raise DocumentError(f"page {self.number} of the test was given no pixels")
        return self._image() if callable(self._image) else self._image


@dataclass(frozen=True)
class StubDocument:
    """A document of a schema with these pages.

    >>> from ocr_moe.schema import Field, Kind, Schema
    >>> schema = Schema(name="card", fields=(Field(name="姓名", kind=Kind.PERSON),))
    >>> StubDocument(schema, [StubPage(page("姓名：张三"))]).ref.path
    'page.jpg'
    """

    schema: Schema
    pages: Sequence[StubPage]
    ref: DocumentRef = field(default_factory=lambda: DocumentRef(path="page.jpg", sha256="0" * 64))

"""Certificates and licences as programs save them: the generator's pages with text that is text."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from random import Random
from typing import Any

from PIL import Image, ImageDraw

from ocr_moe.generation.layouts import layouts
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import paper
from ocr_moe.generation.sheet import Sheet
from ocr_moe.generation.spec import Spec
from tests.pdfs import image, page_with

LATIN = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
CHINESE = (
    b"<</Type/Font/Subtype/Type0/BaseFont/STSong-Light/Encoding/UniGB-UTF16-H/DescendantFonts"
    b"[<</Type/Font/Subtype/CIDFontType0/BaseFont/STSong-Light/DW 1000/CIDSystemInfo"
    b"<</Registry(Adobe)/Ordering(GB1)/Supplement 4>>>>]>>"
)
"""A font that is not in the file, as many programs save them: the reader takes one of its own."""


@dataclass
class Written:
    """A piece of text; positions and sizes in pixels, y downwards."""

    x: float
    y: float
    text: str
    size: float
    ink: tuple[int, ...] = (0, 0, 0)


@dataclass
class _Pencil:
    """Draws on the page what is no text, and takes a note of what is."""

    draw: ImageDraw.ImageDraw
    written: list[Written] = field(default_factory=list)

    def text(self, xy: tuple[float, float], text: str, **how: Any) -> None:
        font, (x, y) = how["font"], xy
        for index, character in enumerate(text):  # each where it is: the reader's font is another
            place = x + font.getlength(text[:index])
            self.written.append(Written(place, y, character, font.size, tuple(how["fill"])))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.draw, name)


def pdf_with(
    written: list[Written],
    size: tuple[int, int],
    picture: Image.Image | None = None,
    more: bytes = b"",
) -> bytes:
    """One page of `size` pixels at 150 dpi, with text on paper or on a picture of that size.

    `more` is a content stream that is drawn over it.
    """
    scale = 72 / 150
    width, height = size[0] * scale, size[1] * scale
    content = b"q %.3f 0 0 %.3f 0 0 cm /I Do Q " % (width, height) if picture is not None else b""
    for piece in written:
        latin = all(ord(character) < 256 for character in piece.text)
        font = b"F" if latin else b"C"
        shown = piece.text.encode("cp1252" if latin else "utf-16-be").hex().encode()
        ink = b"%.3f %.3f %.3f rg" % tuple(level / 255 for level in piece.ink[:3])
        place = piece.x * scale, height - piece.y * scale
        content += b"BT %s /%s %.3f Tf %.3f %.3f Td <%s> Tj ET\n" % (
            ink,
            font,
            piece.size * scale * (0.8 if latin else 1.0),  # the widest of typefaces
            *place,
            shown,
        )
    pixels = zlib.compress((picture or Image.new("RGB", (1, 1))).tobytes())
    drawn = image(*(picture.size if picture else (1, 1)), pixels, b"FlateDecode")
    box = b"0 0 %.3f %.3f" % (width, height)
    return page_with(content + more, drawn, LATIN, CHINESE, box=box)


def drawn(spec: Spec) -> tuple[list[Written], Image.Image, dict[str, str | None]]:
    """The text of a document, the page without it, and what it says by field."""
    layout = {layout.name: layout for layout in layouts()}[spec.layout]
    rng = Random(spec.seed)
    size = (spec.width, round(spec.width * rng.uniform(*layout.ratio)))
    look = Look.draw(rng, spec.fonts, older=layout.older)
    sheet = Sheet(paper.blank(rng, size), spec.fonts, rng)
    pencil = _Pencil(sheet.draw)
    sheet.draw = pencil  # type: ignore[assignment]
    layout.draw(sheet, spec.facts, look)
    printed = {name for name, _ in sheet.marks}
    truth = {
        name: sheet.stated.get(name, value if name in printed else None)
        for name, value in spec.facts.truth().items()
    }
    return pencil.written, sheet.image, truth

"""The page being drawn: text that remembers where each field stands, and ink over ink."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from PIL import Image, ImageChops, ImageDraw, ImageFont

from ocr_moe.generation.fonts import FontBook, Typeface, load

Colour = tuple[int, int, int]
PixelBox = tuple[float, float, float, float]

_TOKEN = re.compile(r"[0-9A-Za-z.\-/:]+|.", re.DOTALL)
_NEVER_FIRST = "，。、；：）)》」』!！?？%】"
_NEVER_LAST = "（(《「『【"


class TextRun(NamedTuple):
    """A piece of text in one face; `field` names what it is the value of."""

    text: str
    field: str | None = None
    filled: bool = False
    """Filled in by the office after the form was printed: other face, other ink."""


@dataclass
class Pen:
    """How a run is drawn."""

    face: Typeface
    size: int
    ink: Colour = (20, 20, 20)
    spacing: float = 0.0
    """Extra advance per character, in parts of the size."""
    shift: float = 0.0
    """Offset of the baseline, in parts of the size: forms are overprinted a little off."""
    underline: bool = False
    bold: bool = False


@dataclass
class _Glyph:
    text: str
    font: ImageFont.FreeTypeFont
    pen: Pen
    run: TextRun
    advance: float


@dataclass
class Sheet:
    """One page in the making. Sizes and positions are in pixels of the page."""

    image: Image.Image
    book: FontBook
    rng: Random
    marks: list[tuple[str, PixelBox]] = field(default_factory=list)
    """A field and the box of one piece of its value, in the order of drawing."""
    stated: dict[str, str] = field(default_factory=dict)
    """Field → the value that this page gives it in other words than the facts do."""
    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Table → the columns that this page prints, where it does not print all."""
    used: dict[str, None] = field(default_factory=dict)
    """Names of the typefaces used so far."""
    inset: int = 0
    """Pixels from the edges that a border takes up."""

    def __post_init__(self) -> None:
        self.draw = ImageDraw.Draw(self.image)

    @property
    def width(self) -> int:
        return self.image.width

    @property
    def height(self) -> int:
        return self.image.height

    def _font(self, pen: Pen, char: str) -> ImageFont.FreeTypeFont:
        face = self.book.covering(pen.face, char)
        self.used.setdefault(face.name)
        return load(face.path, face.index, pen.size)

    def _glyphs(self, run: TextRun, pen: Pen) -> Iterable[_Glyph]:
        extra = pen.spacing * pen.size
        for token in _TOKEN.findall(run.text):
            pieces = list(token) if pen.spacing or len(token) == 1 else [token]
            for piece in pieces:
                font = self._font(pen, piece[0])
                yield _Glyph(piece, font, pen, run, font.getlength(piece) + extra)

    def measure(self, text: str, pen: Pen) -> float:
        """The width of `text` on one line."""
        return sum(glyph.advance for glyph in self._glyphs(TextRun(text), pen))

    def text(
        self, x: float, y: float, text: str, pen: Pen, *, field: str | None = None, align: str = "l"
    ) -> PixelBox:
        """Draws one line with its baseline at `y`; returns the box of its ink.

        `align`: `l`, `m` or `r`, where `x` is the left end, the middle, or the right end.
        """
        glyphs = list(self._glyphs(TextRun(text, field), pen))
        width = sum(glyph.advance for glyph in glyphs) - pen.spacing * pen.size
        x -= {"l": 0.0, "m": width / 2, "r": width}[align]
        return self._line(x, y, glyphs)

    def _line(self, x: float, y: float, glyphs: Sequence[_Glyph], stretch: float = 0.0) -> PixelBox:
        """Draws glyphs from `x` on; marks a box for each run of a field."""
        whole: PixelBox | None = None
        box: PixelBox | None = None
        for n, glyph in enumerate(glyphs):
            pen = glyph.pen
            top = y + pen.shift * pen.size
            ink = glyph.font.getbbox(glyph.text, anchor="ls")
            if not glyph.text.isspace():
                stroke = 0.4 if pen.bold else 0
                self.draw.text(
                    (x, top),
                    glyph.text,
                    font=glyph.font,
                    fill=pen.ink,
                    anchor="ls",
                    stroke_width=stroke,
                )
                drawn = (x + ink[0], top + ink[1], x + ink[2], top + ink[3])
                box = _union(box, drawn)
                whole = _union(whole, drawn)
            if pen.underline:
                below = y + 0.22 * pen.size
                self.draw.line((x, below, x + glyph.advance + stretch, below), pen.ink, 1)
            x += glyph.advance + stretch
            last = n + 1 == len(glyphs) or glyphs[n + 1].run is not glyph.run
            if last:
                if glyph.run.field and box:
                    self.marks.append((glyph.run.field, box))
                box = None
        return whole or (x, y, x, y)

    def flow(
        self,
        box: tuple[float, float, float],
        runs: Sequence[tuple[TextRun, Pen]],
        *,
        leading: float,
        indent: float = 0.0,
        justify: bool = True,
        align: str = "l",
    ) -> float:
        """Sets runs as a paragraph from the first baseline on; returns the last baseline.

        `box`: left, first baseline, right. `leading`: distance of baselines. `indent`: of the
        first line. Breaks follow the Chinese rules on punctuation at the ends of lines.
        """
        left, y, right = box
        glyphs = [glyph for run, pen in runs for glyph in self._glyphs(run, pen)]
        start = left + indent
        while glyphs:
            count = _fit(glyphs, right - start)
            line, glyphs = glyphs[:count], glyphs[count:]
            if glyphs and glyphs[0].text == "\n":
                glyphs = glyphs[1:]
            while line and line[-1].text.isspace():
                line.pop()
            slack = right - start - sum(glyph.advance for glyph in line)
            stretch = slack / max(1, len(line) - 1) if justify and glyphs and line else 0.0
            if stretch > 0.5 * (line[0].pen.size if line else 1):
                stretch = 0.0
            offset = slack / 2 if align == "m" else 0.0
            self._line(start + offset, y, line, stretch)
            start = left
            if glyphs:
                y += leading
        return y

    def lines_of(
        self, width: float, runs: Sequence[tuple[TextRun, Pen]], *, indent: float = 0.0
    ) -> int:
        """How many lines `flow` would set on this width."""
        glyphs = [glyph for run, pen in runs for glyph in self._glyphs(run, pen)]
        lines, room = 0, width - indent
        while glyphs:
            glyphs = glyphs[_fit(glyphs, room) :]
            if glyphs and glyphs[0].text == "\n":
                glyphs = glyphs[1:]
            lines, room = lines + 1, width
        return lines

    def words(
        self, box: tuple[float, float, float], text: str, pen: Pen, *, leading: float
    ) -> float:
        """Sets Latin text, broken between words; returns the last baseline."""
        left, y, right = box
        line = ""
        for word in text.split():
            longer = f"{line} {word}".strip()
            if line and self.measure(longer, pen) > right - left:
                self.text(left, y, line, pen)
                line, y = word, y + leading
            else:
                line = longer
        self.text(left, y, line, pen)
        return y

    def sentence(
        self,
        box: tuple[float, float, float],
        runs: Sequence[TextRun],
        pen: Pen,
        *,
        leading: float,
    ) -> float:
        """Sets Latin text of several runs, broken between words; returns the last baseline."""
        left, y, right = box
        glyphs = [glyph for run in runs for glyph in self._glyphs(run, pen)]
        line: list[_Glyph] = []
        word: list[_Glyph] = []
        for glyph in (*glyphs, None):
            if glyph is not None and not glyph.text.isspace():
                word.append(glyph)
                continue
            width = sum(each.advance for each in (*line, *word))
            if line and width > right - left:
                self._line(left, y, line)
                line, y = [], y + leading
            line += [*word, glyph] if glyph else word
            word = []
        self._line(left, y, line)
        return y

    def stamp(self, layer: Image.Image, x: float, y: float) -> None:
        """Prints `layer` (white where nothing is) over what is there, centred at `x`, `y`."""
        left, top = round(x - layer.width / 2), round(y - layer.height / 2)
        area = (
            max(0, left),
            max(0, top),
            min(self.width, left + layer.width),
            min(self.height, top + layer.height),
        )
        if area[0] >= area[2] or area[1] >= area[3]:
            return
        piece = layer.crop((area[0] - left, area[1] - top, area[2] - left, area[3] - top))
        self.image.paste(ImageChops.multiply(self.image.crop(area), piece), area[:2])

    def box_of(self, field: str) -> PixelBox | None:
        """The hull of the last place where a field was drawn."""
        found = [box for name, box in self.marks if name == field]
        return found[-1] if found else None


def _fit(glyphs: Sequence[_Glyph], width: float) -> int:
    """How many glyphs go on a line."""
    used = 0.0
    for n, glyph in enumerate(glyphs):
        if glyph.text == "\n":
            return n
        used += glyph.advance
        if used > width and n:
            if glyph.text in _NEVER_FIRST and used < width + glyph.pen.size:
                continue
            while n > 1 and (glyphs[n].text in _NEVER_FIRST or glyphs[n - 1].text in _NEVER_LAST):
                n -= 1
            return n
    return len(glyphs)


def _union(a: PixelBox | None, b: PixelBox) -> PixelBox:
    if a is None:
        return b
    return (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))

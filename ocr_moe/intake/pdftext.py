"""The text layer of a PDF's page: what its own text objects and form fields say, where they are seen.

Whether a text is seen is found by drawing: the page with it and without it differ there, and its ink
differs from what is under it. That answers alike for text in the invisible mode of an OCR layer, under
an image, in the colour of the paper, transparent, clipped, or on a layer that is switched off. What a
text object cannot tell (a font that does not name its glyphs, two texts over one another) stays pixels,
as do images and drawings; `without_text` is the page with nothing else.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

from ocr_moe.intake.leftovers import may_hold_text
from ocr_moe.intake.textlayer import (
    Glyph,
    SetLine,
    TextLayer,
    TextLine,
    character_of,
    is_character,
    lines_of,
    rotation_of,
    sounds_odd,
)

if TYPE_CHECKING:
    from PIL import Image

_MOST_CHARACTERS = 50_000
"""Of a page; a page of a telephone directory has 30,000. With more it is read by OCR."""
_LOOK = 1400
"""Pixels of the longer side at which it is seen what is seen: 8-point type is 13 pixels high."""
_SEEN = 16
"""Grey levels by which ink differs from what is under it. A watermark differs by 30 at least."""
_SMALLEST = 0.0025
"""Em, in longer sides of the page, from which a text can be read at all: 2 points on A4."""
_ILLEGIBLE = 0.1
"""Share of a font's glyphs without a known character from which it knows none."""
_READABLE_MODES = (
    pdfium.FPDF_TEXTRENDERMODE_FILL,
    pdfium.FPDF_TEXTRENDERMODE_STROKE,
    pdfium.FPDF_TEXTRENDERMODE_FILL_STROKE,
)
_PASSWORD = 1 << 13
"""Flag of a text field that hides what is typed."""
_EDGE = 0.15
"""Of a glyph's box, on each side."""
_CORNERS = 1 << 20


class _Character(NamedTuple):
    glyph: Glyph
    font: str
    box: tuple[float, float, float, float]
    """Of its ink by its font, in pixels of the look …"""
    cell: tuple[float, float, float, float]
    """… and what of its place in the line is its own, where a font of the reader's draws it."""
    ink: int
    """Grey level that it is drawn in."""


class _Typed(NamedTuple):
    """A filled form field."""

    value: str
    box: tuple[float, float, float, float]
    """In fractions of the page as it is decoded."""


class PageWithText:
    """An opened page of a PDF that is for its text alone: objects on it are hidden, forms flattened.

    `width` and `height` are the pixels of the page as it is decoded.
    """

    def __init__(self, pdf: Any, number: int, width: int, height: int) -> None:
        self._width, self._height = width, height
        page = pdf[number - 1]
        self._typed = [*_typed_values(pdf, page)] if pdf.formenv is not None else []
        if pdfium.FPDFPage_GetAnnotCount(page) > 0:
            page.flatten()
            page.close()
            page = pdf[number - 1]
        self._page = page
        self._claimed: list[_Typed] = []
        self.layer = self._found()

    def without_text(self) -> Image.Image:
        """The page without the lines of `layer`, as large as the page."""
        return self._drawn(self._width, self._height)

    def close(self) -> None:
        self._page.close()

    def _found(self) -> TextLayer | None:
        objects: dict[int, Any] = {}
        textpage = self._page.get_textpage()
        try:
            if not 0 < textpage.count_chars() + len(self._typed) <= _MOST_CHARACTERS:
                return None
            characters = [*self._characters(textpage, objects)]
        finally:
            textpage.close()
        size = self._look_size()
        before = self._drawn(*size).convert("L")
        known = _legible_fonts(characters)
        modes = {
            source: pdfium.FPDFTextObj_GetTextRenderMode(objects[source]) for source in objects
        }
        readable = {
            c.glyph.source
            for c in characters
            if c.font in known and modes[c.glyph.source] in _READABLE_MODES
        }
        _hide(objects, readable)
        without = self._drawn(*size).convert("L")
        seen = [
            c
            for c in characters
            if c.glyph.source in readable
            and (c.glyph.text.isspace() or _is_seen(c, before, without))
            and c.glyph.size >= _SMALLEST * max(self._width, self._height)
        ]
        glyphs = [c.glyph for c in seen]
        rotation = rotation_of(glyphs)
        lines = lines_of(glyphs, self._width, self._height, rotation)
        lost = {source for line in lines if not line.legible for source in line.sources}
        lines = [line for line in lines if not line.sources & lost]
        shown = {source for line in lines for source in line.sources}
        _show(objects, modes, readable - shown)
        found = [TextLine(line.text, line.quad, odd) for line, odd in _judged(lines, seen)]
        found += self._fields(before, [c.box for c in seen], rotation)
        if not found:
            return None
        turned = rotation in (90, 270)
        return TextLayer(
            width=self._height if turned else self._width,
            height=self._width if turned else self._height,
            rotation=rotation,
            lines=tuple(found),
            rest=may_hold_text(self._drawn(*size)),
        )

    def _fields(
        self, look: Image.Image, read: Sequence[Sequence[float]], rotation: int
    ) -> Iterator[TextLine]:
        """Filled fields whose appearance shows something that is no text: a drawn value.

        The value is what the field says; what it shows is for others to compare.
        """
        for field in self._typed:
            x0, y0, x1, y1 = field.box
            box = _within(
                (x0 * look.width, y0 * look.height, x1 * look.width, y1 * look.height), look
            )
            if box is None or any(_middle_within(other, box) for other in read):
                continue
            ink = _ink_within(look, box)
            if ink is None:
                continue
            self._claimed.append(field)
            x0, x1 = ink[0] / look.width, ink[2] / look.width
            y0, y1 = ink[1] / look.height, ink[3] / look.height
            corners = [_turned(x, y, rotation) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]
            left, top = (min(corner[axis] for corner in corners) for axis in (0, 1))
            right, bottom = (max(corner[axis] for corner in corners) for axis in (0, 1))
            quad = ((left, top), (right, top), (right, bottom), (left, bottom))
            yield TextLine(field.value, quad, doubtful=True)

    def _look_size(self) -> tuple[int, int]:
        scale = min(_LOOK / max(self._width, self._height), 1.0)
        return max(math.ceil(self._width * scale), 1), max(math.ceil(self._height * scale), 1)

    def _drawn(self, width: int, height: int) -> Image.Image:
        """The page as it is now, in RGB, without the claimed fields."""
        across, down = self._page.get_size()
        scale = min(width / across, height / down)
        drawn = self._page.render(scale=scale, may_draw_forms=False)
        image: Image.Image = drawn.to_pil().convert("RGB")
        if image.size != (width, height):
            image = image.resize((width, height))
        for field in self._claimed:
            x0, y0, x1, y1 = field.box
            box = _within((x0 * width, y0 * height, x1 * width, y1 * height), image)
            if box is not None:
                image.paste("white", box)
        return image

    def _characters(self, textpage: Any, objects: dict[int, Any]) -> Iterator[_Character]:
        to_page = _Placing(self._page, self._width, self._height)
        across, down = self._look_size()
        look = (across / self._width, down / self._height)
        fonts: dict[int, tuple[str, int]] = {}
        high = ""
        for index in range(textpage.count_chars()):
            if pdfium.FPDFText_IsGenerated(textpage, index) == 1:
                continue
            item = pdfium.FPDFText_GetTextObject(textpage, index)
            source = ctypes.cast(item, ctypes.c_void_p).value
            if source is None:
                continue
            objects.setdefault(source, item)
            if source not in fonts:
                fonts[source] = _font_of(item), _ink_of(item)
            text = high + _text_of(textpage, index)
            high = text if len(text) == 1 and "\ud800" <= text <= "\udbff" else ""
            if high:
                continue
            matrix = pdfium.FS_MATRIX()
            pdfium.FPDFText_GetMatrix(textpage, index, matrix)
            x, y = ctypes.c_double(), ctypes.c_double()
            pdfium.FPDFText_GetCharOrigin(textpage, index, x, y)
            size = pdfium.FPDFText_GetFontSize(textpage, index)
            origin = to_page.point(x.value, y.value)
            along = to_page.vector(matrix.a, matrix.b)
            up = to_page.vector(matrix.c * size, matrix.d * size)
            em = math.hypot(*up)
            ink = to_page.box(textpage.get_charbox(index))
            angle = math.degrees(math.atan2(along[1], along[0])) % 360
            loose = to_page.box(textpage.get_charbox(index, loose=True))
            yield _Character(
                Glyph(
                    text=character_of(text),
                    x=origin[0],
                    y=origin[1],
                    angle=angle,
                    advance=_advance(text, angle, em, ink, loose),
                    size=em,
                    source=source,
                    legible=is_character(text)
                    and pdfium.FPDFText_HasUnicodeMapError(textpage, index) != 1,
                ),
                font=fonts[source][0],
                box=_scaled(ink, look),
                cell=_scaled(_inner(loose), look),
                ink=fonts[source][1],
            )


def open_for_text(data: bytes) -> Any:
    """A PDF opened a second time, for what is done to its pages here must not show in the first."""
    pdf = pypdfium2.PdfDocument(data)
    if pdf.get_formtype() != pdfium.FORMTYPE_NONE:
        pdf.init_forms()
    return pdf


class _Placing:
    """From points of a page, however it is cropped and turned, to its pixels."""

    def __init__(self, page: Any, width: int, height: int) -> None:
        corners = []
        for across, down in ((0, 0), (_CORNERS, 0), (0, _CORNERS)):
            x, y = ctypes.c_double(), ctypes.c_double()
            pdfium.FPDF_DeviceToPage(page, 0, 0, _CORNERS, _CORNERS, 0, across, down, x, y)
            corners.append((x.value, y.value))
        (self._x, self._y), (rx, ry), (dx, dy) = corners
        rx, ry, dx, dy = rx - self._x, ry - self._y, dx - self._x, dy - self._y
        area = rx * dy - ry * dx
        self._a, self._b = dy / area * width, -dx / area * width
        self._c, self._d = -ry / area * height, rx / area * height

    def vector(self, x: float, y: float) -> tuple[float, float]:
        return self._a * x + self._b * y, self._c * x + self._d * y

    def point(self, x: float, y: float) -> tuple[float, float]:
        return self.vector(x - self._x, y - self._y)

    def box(self, box: Sequence[float]) -> tuple[float, float, float, float]:
        (x0, y0), (x1, y1) = self.point(box[0], box[1]), self.point(box[2], box[3])
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _scaled(
    box: tuple[float, float, float, float], by: tuple[float, float]
) -> tuple[float, float, float, float]:
    return box[0] * by[0], box[1] * by[1], box[2] * by[0], box[3] * by[1]


def _inner(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """A glyph's box without the edges into which its neighbours may reach."""
    across, down = _EDGE * (box[2] - box[0]), _EDGE * (box[3] - box[1])
    return box[0] + across, box[1] + down, box[2] - across, box[3] - down


def _text_of(textpage: Any, index: int) -> str:
    code = pdfium.FPDFText_GetUnicode(textpage, index)
    if code == 2:  # PDFium's mark for a hyphen at a line's end
        return "-"
    return chr(code) if code <= 0x10FFFF else "\ufffd"


def _advance(
    text: str,
    angle: float,
    em: float,
    ink: tuple[float, float, float, float],
    loose: tuple[float, float, float, float],
) -> float:
    """The glyph's extent along its baseline; boxes tell it only where that is level or upright."""
    turn = angle % 90
    if min(turn, 90 - turn) > 1:
        return em if ord(text[0]) > 0x2E7F else em / 2
    axis = 1 if 45 < angle % 180 < 135 else 0
    extent = loose[axis + 2] - loose[axis]
    return extent if 0 < extent < 3 * em else max(ink[axis + 2] - ink[axis], 0.0)


def _font_of(item: Any) -> str:
    font = pdfium.FPDFTextObj_GetFont(item)
    return str(ctypes.cast(font, ctypes.c_void_p).value)


def _ink_of(item: Any) -> int:
    """Grey level of what a text object is drawn in; that of paper where it is transparent."""
    stroked = pdfium.FPDFTextObj_GetTextRenderMode(item) == pdfium.FPDF_TEXTRENDERMODE_STROKE
    of = pdfium.FPDFPageObj_GetStrokeColor if stroked else pdfium.FPDFPageObj_GetFillColor
    red, green, blue, alpha = (ctypes.c_uint() for _ in range(4))
    if not of(item, red, green, blue, alpha):
        return 0
    return (299 * red.value + 587 * green.value + 114 * blue.value) // 1000


def _legible_fonts(characters: Sequence[_Character]) -> set[str]:
    counts: dict[str, list[int]] = {}
    for character in characters:
        if not character.glyph.text.isspace():
            known = counts.setdefault(character.font, [0, 0])
            known[character.glyph.legible] += 1
    return {
        font
        for font, (unknown, known) in counts.items()
        if unknown <= _ILLEGIBLE * (unknown + known)
    }


def _is_seen(character: _Character, page: Image.Image, without: Image.Image) -> bool:
    boxes = (_within(character.box, page), _within(character.cell, page))
    return any(box is not None and _differs(character.ink, page, without, box) for box in boxes)


def _differs(
    ink: int, page: Image.Image, without: Image.Image, box: tuple[int, int, int, int]
) -> bool:
    from PIL import ImageChops

    under = without.crop(box)
    darkest, lightest = _levels(under)
    if lightest - darkest < _SEEN and abs(ink - lightest) < _SEEN:
        return False  # written in the colour of the paper
    return _levels(ImageChops.difference(page.crop(box), under))[1] >= _SEEN


def _ink_within(
    look: Image.Image, box: tuple[int, int, int, int]
) -> tuple[int, int, int, int] | None:
    """The part of a box that is dark, where anything in it is."""
    part = look.crop(box)
    darkest, lightest = _levels(part)
    if lightest - darkest < 4 * _SEEN:
        return None
    middle = (darkest + lightest) // 2
    dark = part.point([255 * (level < middle) for level in range(256)]).getbbox()
    if dark is None:
        return None
    return box[0] + dark[0], box[1] + dark[1], box[0] + dark[2], box[1] + dark[3]


def _levels(grey: Image.Image) -> tuple[int, int]:
    """The darkest and the lightest level."""
    present = [level for level, count in enumerate(grey.histogram()) if count]
    return present[0], present[-1]


def _judged(
    lines: Sequence[SetLine], characters: Sequence[_Character]
) -> Iterator[tuple[SetLine, bool]]:
    """Every line, and whether a font in it may name its glyphs wrongly."""
    texts: dict[str, str] = {}
    fonts: dict[int, str] = {}
    for character in characters:
        texts[character.font] = texts.get(character.font, "") + character.glyph.text
        fonts[character.glyph.source] = character.font
    odd = {font for font, text in texts.items() if sounds_odd(text)}
    for line in lines:
        yield line, any(fonts[source] in odd for source in line.sources)


def _hide(objects: dict[int, Any], sources: set[int]) -> None:
    for source in sources:
        pdfium.FPDFTextObj_SetTextRenderMode(objects[source], pdfium.FPDF_TEXTRENDERMODE_INVISIBLE)


def _show(objects: dict[int, Any], modes: dict[int, int], sources: set[int]) -> None:
    for source in sources:
        pdfium.FPDFTextObj_SetTextRenderMode(objects[source], modes[source])


def _typed_values(pdf: Any, page: Any) -> Iterator[_Typed]:
    """The filled text and choice fields of a page."""
    placing = _Placing(page, 1, 1)
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, index)
        if not annotation:
            continue
        try:
            kind = pdfium.FPDFAnnot_GetFormFieldType(pdf.formenv, annotation)
            hidden = pdfium.FPDFAnnot_GetFlags(annotation) & (
                pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW
            )
            flags = pdfium.FPDFAnnot_GetFormFieldFlags(pdf.formenv, annotation)
            if hidden or (kind == pdfium.FPDF_FORMFIELD_TEXTFIELD and flags & _PASSWORD):
                continue
            if kind not in (pdfium.FPDF_FORMFIELD_TEXTFIELD, pdfium.FPDF_FORMFIELD_COMBOBOX):
                continue
            value = _value_of(pdf, annotation)
            rect = pdfium.FS_RECTF()
            if value and pdfium.FPDFAnnot_GetRect(annotation, rect):
                box = placing.box((rect.left, rect.bottom, rect.right, rect.top))
                yield _Typed(value, _clamped(box))
        finally:
            pdfium.FPDFPage_CloseAnnot(annotation)


def _clamped(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (min(max(edge, 0.0), 1.0) for edge in box)
    return x0, y0, x1, y1


def _value_of(pdf: Any, annotation: Any) -> str:
    size = pdfium.FPDFAnnot_GetFormFieldValue(pdf.formenv, annotation, None, 0)
    if not 2 < size <= 4 * _MOST_CHARACTERS:
        return ""
    buffer = ctypes.create_string_buffer(size)
    units = ctypes.cast(buffer, ctypes.POINTER(ctypes.c_ushort))
    pdfium.FPDFAnnot_GetFormFieldValue(pdf.formenv, annotation, units, size)
    return " ".join(buffer.raw[:size].decode("utf-16-le", "replace").rstrip("\0").split())


def _turned(x: float, y: float, rotation: int) -> tuple[float, float]:
    """A point in fractions of a page after the page is turned clockwise."""
    x, y = {0: (x, y), 90: (1 - y, x), 180: (1 - x, 1 - y), 270: (y, 1 - x)}[rotation]
    return round(x, 5), round(y, 5)


def _within(box: Sequence[float], image: Image.Image) -> tuple[int, int, int, int] | None:
    x0, y0 = max(math.floor(box[0]), 0), max(math.floor(box[1]), 0)
    x1, y1 = min(math.ceil(box[2]), image.width), min(math.ceil(box[3]), image.height)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _middle_within(box: Sequence[float], other: Sequence[float]) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return other[0] <= x <= other[2] and other[1] <= y <= other[3]

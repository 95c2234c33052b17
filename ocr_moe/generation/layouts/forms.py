"""Pieces of forms that several kinds share: boxes ruled into columns, text made to fit its box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ocr_moe.generation.sheet import Colour, Pen, PixelBox, Sheet, TextRun


def rule(sheet: Sheet, ink: Colour, *points: tuple[float, float], width: int = 2) -> None:
    """A line through the points."""
    sheet.draw.line(points, fill=ink, width=width)


def ruled(sheet: Sheet, ink: Colour, box: PixelBox, at: Sequence[float], *, width: int = 2) -> None:
    """A box, parted by upright lines at these places."""
    sheet.draw.rectangle(box, outline=ink, width=width)
    for x in at:
        rule(sheet, ink, (x, box[1]), (x, box[3]), width=width)


def fitted(sheet: Sheet, text: str, pen: Pen, room: float) -> Pen:
    """The pen, smaller where the text needs it to go into the room."""
    wide = sheet.measure(text, pen)
    return pen if wide <= room else replace(pen, size=max(9, int(pen.size * room / wide)))


def spread(sheet: Sheet, text: str, x: float, y: float, width: float, pen: Pen) -> None:
    """A label set over a width, as forms do it: 名　　称."""
    advance = (width - pen.size) / max(1, len(text) - 1)
    if advance < pen.size:
        sheet.text(x, y, text, pen)
        return
    for n, char in enumerate(text):
        sheet.text(x + n * advance, y, char, pen)


def upright(sheet: Sheet, text: str, x: float, box: tuple[float, float], pen: Pen) -> None:
    """Characters one below the other, centred at `x`, spread over a height from the first to the
    second."""
    top, bottom = box
    step = (bottom - top) / len(text)
    for n, char in enumerate(text):
        sheet.text(x, top + (n + 0.5) * step + pen.size * 0.36, char, pen, align="m")


def filled(
    sheet: Sheet,
    text: str,
    pen: Pen,
    box: tuple[float, float, float],
    *,
    field: str | None = None,
    leading: float = 1.25,
    lines: int = 2,
) -> float:
    """A value from the first baseline on, between left and right, over two lines or more where one is
    not enough, smaller where they are not; returns the last baseline."""
    left, _, right = box
    pen = replace(pen)
    while sheet.lines_of(right - left, [(TextRun(text), pen)]) > lines and pen.size > 10:
        pen.size -= 1
    return sheet.flow(box, [(TextRun(text, field), pen)], leading=pen.size * leading, justify=False)

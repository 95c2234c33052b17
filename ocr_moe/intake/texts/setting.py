"""A text set on a page: where its lines would stand, and a picture of it for whoever wants to look.

The page is made up; what it is for is that evidence has a place, and that a desk has something to show.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from ocr_moe.errors import TooLargeError
from ocr_moe.intake.texts.documents import Entry
from ocr_moe.reading.texts import body_key, labelled
from ocr_moe.types import GIVEN, Line, PageText, Quad

if TYPE_CHECKING:
    from PIL import Image, ImageFont

REVISION = 1
"""Changes when lines may come out differently; part of the key of a page's text."""
ENGINE = f"{GIVEN}-r{REVISION}"
"""The engine under which a text is stored that was given as such."""

_WIDTH = 1240
"""Pixels of the page: A4 at 150 dpi."""
_MARGIN = 60
_SIZE = 24
"""Of the type, in pixels; half as wide where it is Latin."""
_STEP = 38
"""From one row to the next."""
_GAP = 14
"""More between two lines, which may be of several rows."""
_COLUMNS = (_WIDTH - 2 * _MARGIN) * 2 // _SIZE
"""Latin characters in a row."""
_MOST_ROWS = 20
"""Of a line: what is higher than wide would look like a column of type. A longer paragraph is parted
where a sentence ends, or else at a space."""
_MOST_DRAWN = 1_500
"""Rows of a text that is drawn."""
_ENDS = re.compile(r"[。！？!?；;…]+[”’」』\")]*|(?<=[a-z0-9])[.]+[”’\")]*(?=\s)|\n")
_TYPEFACES = (
    *("NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "wqy-zenhei.ttc", "msyh.ttc", "simsun.ttc"),
    *("PingFang.ttc", "Hiragino Sans GB.ttc", "NotoSansSC-Regular.otf", "DejaVuSans.ttf"),
)
"""Those that have Chinese characters come first."""


def page_text(entries: Sequence[Entry]) -> PageText:
    """A text as lines of one page, exact; blank where it says nothing."""
    placed: list[tuple[str, str, int, int]] = []
    y = _MARGIN
    for key, text in _ordered(entries):
        rows = _rows(text)
        height = len(rows) * _STEP
        placed.append((key, text, y, y + height))
        y += height + _GAP
    whole = y + _MARGIN
    lines = tuple(
        Line(text=text, confidence=1.0, quad=_quad(text, top, end, whole), exact=True, key=key)
        for key, text, top, end in placed
    )
    return PageText(
        engine=ENGINE, width=_WIDTH, height=whole, rotation=0, lines=lines, blank=not lines
    )


def draw(page: PageText, name: str) -> Image.Image:
    """A picture of a text that `page_text` set. Raises TooLargeError for one that is too long."""
    from PIL import Image, ImageDraw

    if page.height > _MOST_DRAWN * _STEP:
        raise TooLargeError(
            f"{name}: there is no picture of this text, which is too long to be drawn"
        )
    image = Image.new("RGB", (page.width, page.height), "white")
    pen, font = ImageDraw.Draw(image), _typeface()
    for line in page.lines:
        y = round(line.box[1] * page.height)
        for row in _rows(line.text):
            pen.text((_MARGIN, y), row, fill="black", font=font)
            y += _STEP
    return image


def _ordered(entries: Sequence[Entry]) -> Iterator[tuple[str, str]]:
    """(key, line): an item's keys first, then its running text, in lines of a bearable length."""
    body = body_key({entry.key: entry.text for entry in entries if entry.key})
    keyed = all(entry.key for entry in entries)
    for entry in entries:
        if entry.key and not (keyed and entry.key == body):
            for line in _lines(labelled(entry.key, entry.text)):
                yield entry.key, line
    for entry in entries:
        if not entry.key or (keyed and entry.key == body):
            for line in _lines(entry.text):
                yield entry.key, line


def _lines(text: str) -> Iterator[str]:
    for paragraph in text.splitlines():
        rest = " ".join(_printable(paragraph).split())
        while rest:
            end = _end_of_line(rest)
            yield rest[:end].strip()
            rest = rest[end:].strip()


def _printable(text: str) -> str:
    """Without what cannot be seen, but for spaces."""
    return "".join(c if c.isspace() or unicodedata.category(c)[0] != "C" else "" for c in text)


def _end_of_line(text: str) -> int:
    """How much of a paragraph is a line of at most so many rows."""
    room = _COLUMNS * (_MOST_ROWS - 1)  # a row is not filled to its end where words are not parted
    index = width = 0
    while index < len(text) and width <= room:
        width += _width(text[index])
        index += 1
    if width <= room:
        return len(text)
    index -= 1
    ends = [match.end() for match in _ENDS.finditer(text, 0, index)]
    space = text.rfind(" ", 0, index)
    return ends[-1] if ends else space if space > 0 else index


def _rows(text: str) -> list[str]:
    """A line as it is set in rows, words whole where they fit."""
    rows: list[str] = []
    start = at = width = 0
    space = -1
    while at < len(text):
        if text[at] == " ":
            space = at
        width += _width(text[at])
        if width > _COLUMNS:
            end = space if space > start and at - space < _COLUMNS // 4 else at
            rows.append(text[start:end])
            start = end + (text[end] == " ")
            at, width, space = start, 0, -1
            continue
        at += 1
    return [*rows, text[start:]]


def _width(character: str) -> int:
    """In Latin characters."""
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _quad(text: str, top: int, end: int, whole: int) -> Quad:
    wide = max(sum(map(_width, row)) for row in _rows(text)) * _SIZE / 2
    left, right = _MARGIN / _WIDTH, min((_MARGIN + max(wide, 1)) / _WIDTH, 1.0)
    x0, x1 = round(left, 5), round(right, 5)
    y0, y1 = round(top / whole, 6), round(end / whole, 6)
    return ((x0, y0), (x1, y0), (x1, y1), (x0, y1))


@lru_cache(maxsize=1)
def _typeface() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    from PIL import ImageFont

    for name in _TYPEFACES:
        try:
            return ImageFont.truetype(name, _SIZE)
        except OSError:
            continue
    return ImageFont.load_default(_SIZE)

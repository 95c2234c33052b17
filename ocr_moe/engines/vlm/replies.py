"""From the reply of a vision model to pieces of text, with boxes where it gives them.

Nothing is believed of a reply but its form: it may be cut off, wrapped, broken, or run in circles.
What a page says stands in it as text, and is never anything else.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from typing import Any, NamedTuple

from ocr_moe.engines.vlm.presets import Form, Unit
from ocr_moe.formats.text import sound
from ocr_moe.types import Box

LONGEST = 200_000
"""Characters of a reply that are looked at; the fullest page has a tenth."""
_MOST_PIECES = 5_000
"""Pieces of a reply that are looked at."""
_BOX_KEYS = ("bbox_2d", "bbox", "box", "block_bbox", "box_2d")
_TEXT_KEYS = ("text_content", "text", "content", "transcription", "block_content", "label")
"""Keys of an object of a reply, the ones that say it best first."""
_PERIOD, _ROUNDS, _CIRCLE = 200, 4, 60
"""A reply runs in circles where a stretch of up to so many characters stands at its end more than so
many times over, for so many characters together: leaders of a form are shorter, and lists differ."""
_FENCE = re.compile(r"\A\s*```[\w-]*[ \t]*\n(.*?)(?:\n[ \t]*```\s*|\s*)\Z", re.DOTALL)
_FRONT_MATTER = re.compile(r"\A\s*---\n(?:[a-z_]+: .*\n)+---(?:\n|\Z)")
_OUTSIDE = 0.5
"""Share of a box that must lie on the page: of another, nothing is known."""


class Piece(NamedTuple):
    """A piece of a reply: its lines of text, and where it stands, where the reply says so."""

    lines: tuple[str, ...]
    box: Box | None = None


def pieces(content: str, form: Form, unit: Unit, size: tuple[int, int]) -> tuple[Piece, ...]:
    """The pieces of a reply in its order; boxes in fractions of the image that was sent, whose pixels
    are `size`.

    A reply that was to have boxes and has none that can be read is taken for text.
    """
    text = without_circles(sound(content[:LONGEST]))
    if (fenced := _FENCE.match(text)) is not None:
        text = fenced[1]
    if form == "boxes":
        found = [
            piece for entry in _entries(text) if (piece := _piece(entry, unit, size)) is not None
        ]
        if found:
            return tuple(dict.fromkeys(found))
        if text.lstrip()[:1] in ("[", "{"):
            return ()  # JSON without a text in it
    lines = lines_of(_FRONT_MATTER.sub("", text, count=1))
    return (Piece(lines),) if lines else ()


def without_circles(text: str) -> str:
    """The text with one of what it repeats at its end over and over."""
    for period in range(1, min(_PERIOD, len(text) // (_ROUNDS + 1)) + 1):
        last = text[-period:]
        if text[-2 * period : -period] != last:
            continue
        start = len(text) - period
        while text.endswith(last, 0, start):
            start -= period
        length = len(text) - start
        if length >= _CIRCLE and length > _ROUNDS * period:
            return text[: start + period]
    return text


def lines_of(text: str) -> tuple[str, ...]:
    """The lines of a text in Markdown, HTML or neither: cells of tables one a line."""
    if re.search(r"<(?:table|tr|td|br|p|div|sup|sub|span|b|i|u|h\d|img)\b", text, re.IGNORECASE):
        reader = _Reader()
        reader.feed(text)
        reader.close()
        text = "".join(reader.parts)
    lines = []
    for line in text.splitlines():
        cells = [line]
        if line.count("|") > 1 and line.strip().startswith("|"):
            cells = line.strip().strip("|").split("|")
        for cell in cells:
            plain = _plain(html.unescape(cell))
            if plain:
                lines.append(plain)
    return tuple(lines)


_MARKS = re.compile(r"^\s{0,3}(?:#{1,6}\s+|>\s+|[-*+]\s+(?=\S))")
_EMPHASIS = re.compile(r"(\*\*|__|``?)(?=\S)(.+?)(?<=\S)\1")
_RULE = re.compile(r"^[\s:|*_=-]*$")
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")


def _plain(line: str) -> str:
    """A line without the marks of Markdown around it."""
    line = _MARKS.sub("", _IMAGE.sub("", line), count=1).strip()
    if _RULE.match(line):
        return ""
    return _EMPHASIS.sub(r"\2", line).strip()


class _Reader(HTMLParser):
    """The text of HTML, a line for each cell and paragraph."""

    _BREAKS = frozenset({"td", "th", "tr", "table", "br", "p", "div", "li", "h1", "h2", "h3", "h4"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag in self._BREAKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._BREAKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def _entries(text: str) -> Iterator[dict[str, Any]]:
    """Every object of a reply that has no object within it, those of a broken or cut-off reply too."""
    decoder = json.JSONDecoder()
    at, count = text.find("{"), 0
    while at >= 0 and count < _MOST_PIECES:
        try:
            found, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            found, end = _mended(text, at)
        if isinstance(found, dict):
            for entry in _leaves(found):
                count += 1
                yield entry
        at = text.find("{", max(end, at + 1))


def _leaves(found: Any, depth: int = 0) -> Iterator[dict[str, Any]]:
    if depth > 8:
        return
    if isinstance(found, dict):
        inner = [each for each in found.values() if isinstance(each, dict | list)]
        nested = [leaf for each in inner for leaf in _leaves(each, depth + 1)]
        if nested:
            yield from nested
        else:
            yield found
    elif isinstance(found, list):
        for each in found:
            yield from _leaves(each, depth + 1)


def _mended(text: str, at: int) -> tuple[Any, int]:
    """A single object that is not quite JSON (LaTeX in its text, a comma too many), and its end."""
    import json_repair

    end = text.find("}", at)
    inner = text.find("{", at + 1)
    if end < 0 or (0 <= inner < end):
        return None, at + 1
    try:
        return json_repair.loads(text[at : end + 1]), end + 1
    except (ValueError, RecursionError):
        return None, at + 1


def _piece(entry: dict[str, Any], unit: Unit, size: tuple[int, int]) -> Piece | None:
    text = next((entry[key] for key in _TEXT_KEYS if isinstance(entry.get(key), str)), None)
    lines = lines_of(text) if text else ()
    if not lines:
        return None
    given = next((entry[key] for key in _BOX_KEYS if key in entry), None)
    return Piece(lines, box_of(given, unit, size))


def box_of(given: Any, unit: Unit, size: tuple[int, int]) -> Box | None:
    """A box in fractions of the image, cut to it; None for what is none, or lies mostly beside it."""
    numbers = _numbers(given)
    if numbers is None:
        return None
    width, height = (1000, 1000) if unit == "thousandths" else size
    if max(numbers) <= 1.0 and any(number % 1 for number in numbers):
        width = height = 1  # fractions, whatever was asked for
    x0, x1 = sorted((numbers[0] / width, numbers[2] / width))
    y0, y1 = sorted((numbers[1] / height, numbers[3] / height))
    area = (x1 - x0) * (y1 - y0)
    cut = (max(x0, 0.0), max(y0, 0.0), min(x1, 1.0), min(y1, 1.0))
    left = max(cut[2] - cut[0], 0.0) * max(cut[3] - cut[1], 0.0)
    return cut if area > 0 and left >= _OUTSIDE * area else None


def _numbers(given: Any) -> Sequence[float] | None:
    """Four numbers: as such, as two points, or as the corners of a polygon, whose hull it is."""
    flat = [
        number
        for each in (given if isinstance(given, list) else ())
        for number in (each if isinstance(each, list) else [each])
    ]
    if len(flat) < 4 or len(flat) % 2 or len(flat) > 64:
        return None
    if any(isinstance(each, bool) or not isinstance(each, int | float) for each in flat):
        return None
    if any(not math.isfinite(each) or abs(each) > 1e7 for each in flat):
        return None
    if len(flat) == 4:
        return [float(each) for each in flat]
    return [float(f(flat[i::2])) for f, i in ((min, 0), (min, 1), (max, 0), (max, 1))]

"""Finding out which way up a page is, from what OCR itself sees of it.

An upright page costs nothing: its lines are wider than tall and read with confidence. Only a page
whose lines stand on end, or read badly, is read again the other ways round.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from ocr_moe.types import Line

if TYPE_CHECKING:
    from PIL import Image

REVISION = 2
"""Changes when pages may be decoded or turned otherwise; part of the key of page OCR from 2 on."""

Rotation = Literal[0, 90, 180, 270]

_SURE = 0.8
"""Mean confidence, by characters, above which a page is taken to be upright."""
_LEGIBLE_LINE = (4, 0.9)
"""Characters and confidence that a line of an upside-down page hardly ever has both of."""
_LEGIBLE_SHARE = 0.15
"""Share of the characters in such lines above which a damaged page is taken to be upright. Of 87
pages of samples and real licences, 86 had none when upside down, one had 0.08."""


def read_upright(
    image: Image.Image, read: Callable[[Image.Image], tuple[Line, ...]]
) -> tuple[Rotation, tuple[Line, ...]]:
    """Degrees clockwise that make the page upright, and the lines read on it that way."""
    lines = read(image)
    candidates: list[tuple[Rotation, tuple[Line, ...]]] = [(0, lines)]
    if not lines:
        return 0, lines
    sideways = _share_on_end(lines, image.width, image.height) > 0.5
    if not sideways and (
        _mean_confidence(lines) >= _SURE or _legible_share(lines) >= _LEGIBLE_SHARE
    ):
        return 0, lines
    others: list[Rotation] = [90, 270] if sideways else [180]
    while others:
        rotation = others.pop(0)
        turned = turn(image, rotation)
        again = read(turned)
        candidates.append((rotation, again))
        on_end = _share_on_end(again, turned.width, turned.height) > 0.5
        if not on_end and _mean_confidence(again) >= _SURE:
            break
        # Of a sideways page there may be no line at first; upside down its lines are on end.
        if rotation == 180 and (on_end or _only_scraps((*lines, *again))):
            others += [90, 270]
    return max(candidates, key=lambda candidate: _legible(candidate[1]))


def turn(image: Image.Image, rotation: int) -> Image.Image:
    """The image turned clockwise by a multiple of 90 degrees."""
    from PIL import Image as module

    if rotation % 360 == 0:
        return image
    methods = {
        90: module.Transpose.ROTATE_270,
        180: module.Transpose.ROTATE_180,
        270: module.Transpose.ROTATE_90,
    }
    return image.transpose(methods[rotation % 360])


def _share_on_end(lines: tuple[Line, ...], width: int, height: int) -> float:
    """Share of the characters, in lines long enough to tell, whose line is taller than wide."""
    on_end = total = 0
    for line in lines:
        count = len(line.text)
        if count < 4:
            continue
        x0, y0, x1, y1 = line.box
        total += count
        on_end += count if (y1 - y0) * height > 1.5 * (x1 - x0) * width else 0
    return on_end / total if total else 0.0


def _only_scraps(lines: tuple[Line, ...]) -> bool:
    return all(len(line.text) < _LEGIBLE_LINE[0] for line in lines)


def _mean_confidence(lines: tuple[Line, ...]) -> float:
    total = sum(len(line.text) for line in lines)
    return sum(len(line.text) * line.confidence for line in lines) / total if total else 0.0


def _legible_share(lines: tuple[Line, ...]) -> float:
    length, confidence = _LEGIBLE_LINE
    total = sum(len(line.text) for line in lines)
    legible = [x for x in lines if len(x.text) >= length and x.confidence >= confidence]
    return sum(len(line.text) for line in legible) / total if total else 0.0


def _legible(lines: tuple[Line, ...]) -> float:
    """Characters read with confidence; squared, so that doubtful ones count for little."""
    return sum(len(line.text) * line.confidence**4 for line in lines)

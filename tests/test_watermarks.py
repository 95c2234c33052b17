"""Notices printed aslant over a page: found by their lines, lifted off the pixels, left out."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ocr_moe.generation.fonts import FontBook, load
from ocr_moe.generation.ornaments.notices import notice
from ocr_moe.intake.righting import read_upright
from ocr_moe.intake.watermarks import read_under_watermark
from ocr_moe.testing import page, picture
from ocr_moe.types import Line, Point, Quad
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import load_config

SIZE = (1000, 700)


def line(text: str, x: float, y: float, length: float, degrees: float = 0.0) -> Line:
    """A line 30 pixels thick from a point on, in pixels."""
    turn = math.radians(degrees)

    def at(along: float, across: float) -> Point:
        u = x + along * math.cos(turn) - across * math.sin(turn)
        v = y + along * math.sin(turn) + across * math.cos(turn)
        return (u / SIZE[0], v / SIZE[1])

    quad: Quad = (at(0, 0), at(length, 0), at(length, 30), at(0, 30))
    return Line(text=text, confidence=0.95, quad=quad)


ROWS = (line("证书编号：100051201905001234", 100, 100, 600), line("二〇一九年六月", 100, 300, 300))
NOTICE = tuple(line("仅供审核", 50 + 300 * n, 250 + 150 * (n % 2), 150, -30) for n in range(3))


class Engine:
    """Gives the lines that it is told to, one page after the other, and keeps what it was shown."""

    def __init__(self, *readings: tuple[Line, ...]) -> None:
        self._readings = list(readings)
        self.shown: list[Image.Image] = []

    def read(self, image: Image.Image) -> tuple[Line, ...]:
        self.shown.append(image)
        return self._readings[len(self.shown) - 1]


def drawn(lines: tuple[Line, ...], shade: int, image: Image.Image | None = None) -> Image.Image:
    """Bars where the lines stand, as thick strokes with gaps between them."""
    image = image or Image.new("RGB", SIZE, (250, 250, 245))
    draw = ImageDraw.Draw(image)
    for each in lines:
        (x0, y0), (x1, y1), _, (x3, y3) = ((x * SIZE[0], y * SIZE[1]) for x, y in each.quad)
        for part in np.linspace(0.02, 0.98, 30):
            top = (x0 + (x1 - x0) * part, y0 + (y1 - y0) * part)
            bottom = (top[0] + x3 - x0, top[1] + y3 - y0)
            draw.line((*top, *bottom), fill=(shade,) * 3, width=4)
    return image


def test_a_page_without_a_notice_is_read_once() -> None:
    engine = Engine(ROWS)
    image = drawn(ROWS, 20)
    assert read_under_watermark(image, engine.read) == ROWS
    assert engine.shown == [image]


def test_a_pale_notice_is_lifted_and_its_words_are_left_out() -> None:
    engine = Engine((ROWS[0], *NOTICE), (*ROWS, NOTICE[0]))
    image = drawn(ROWS, 20, drawn(NOTICE, 200))
    assert read_under_watermark(image, engine.read) == ROWS
    before, after = (np.asarray(each.convert("L")) for each in engine.shown)
    pale = (before > 150) & (before < 230)
    assert pale.sum() > 3000
    assert np.median(after[pale]) > 240
    assert (after[before < 40] < 60).all()


def test_the_first_reading_stays_where_the_second_is_worse() -> None:
    engine = Engine((*ROWS, *NOTICE), ROWS[:1])
    assert read_under_watermark(drawn(ROWS, 20, drawn(NOTICE, 200)), engine.read) == ROWS


@pytest.mark.parametrize(
    ("others", "shade"),
    [
        pytest.param(NOTICE, 20, id="as dark as type"),
        pytest.param(NOTICE[:2], 200, id="two short lines"),
        pytest.param(
            tuple(line("江城理工", 400, 300, 120, turn) for turn in (-50, -25, 25, 50)),
            200,
            id="each its own way",
        ),
    ],
)
def test_other_lines_aslant_are_no_notice(others: tuple[Line, ...], shade: int) -> None:
    engine = Engine((*ROWS, *others))
    image = drawn(ROWS, 20, drawn(others, shade))
    assert read_under_watermark(image, engine.read) == (*ROWS, *others)


def test_a_page_that_lies_askew_has_no_notice() -> None:
    rows = tuple(line("证书编号：100051201905001234", 100, 200 + 90 * n, 700, 14) for n in range(4))
    assert read_under_watermark(drawn(rows, 90), Engine(rows).read) == rows


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "degrees", "shade"),
    [("仅供入职审核使用", 30, 222), ("SAMPLE", -40, 175), ("复印无效", 20, 205)],
)
def test_a_page_is_read_under_a_notice_whichever_way_it_lies(
    words: str, degrees: int, shade: int, tmp_path: Path
) -> None:
    rows = ("毕业证书", "学生陈思远 一九九七年三月十五日生", "证书编号：100051201905001234")
    image = picture(page("\n".join(rows), width=1200, height=800))
    font = load(FontBook.discover().of("hei")[0].path, 0, 34)
    image = notice(image, words, font, degrees=degrees, ink=(shade,) * 3)
    engine = Workshop(load_config()).engine("default")
    rotation, lines = read_upright(
        image.transpose(Image.Transpose.ROTATE_270),
        lambda turned: read_under_watermark(turned, engine.read),
    )
    assert rotation == 270
    text = "".join(line.text for line in lines).replace(" ", "").replace(":", "：")
    for row in rows:
        assert row.replace(" ", "") in text
    assert words not in text

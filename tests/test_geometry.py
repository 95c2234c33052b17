"""Lines on a page: how they run, how high they are, and the boxes around them."""

from __future__ import annotations

import math

import pytest

from ocr_moe.codes.finding import skew_of
from ocr_moe.engines.polygons import reading_order
from ocr_moe.geometry import (
    CODE_LENGTH,
    ORDER_LENGTH,
    around,
    direction,
    distance,
    hull,
    line_height,
    slope_by_height,
)
from ocr_moe.testing import page
from ocr_moe.types import PageText, Quad

FOUR = "一二三四五六七八九十\n一二三四五六七八九十\n一二三四五六七八九十\n一二三四五六七八九十"


def quads(text: PageText) -> list[Quad]:
    return [line.quad for line in text.lines]


def slanted(length: float, slope: float, top: float = 0.5) -> Quad:
    end = top + slope * length
    return (0.1, top), (0.1 + length, end), (0.1 + length, end + 0.02), (0.1, top + 0.02)


@pytest.mark.parametrize("degrees", [-5.0, 0.0, 3.0])
def test_three_measures_of_the_skew_agree(degrees: float) -> None:
    text = page(FOUR, turned=degrees)
    right, down = direction(quads(text), ORDER_LENGTH, text.width, text.height)
    assert math.degrees(math.atan2(down, right)) == pytest.approx(degrees)
    assert math.degrees(skew_of(text)) == pytest.approx(degrees)
    base, change = slope_by_height(quads(text), text.height / text.width)
    assert math.degrees(math.atan(base)) == pytest.approx(degrees)
    assert change == 0.0


def test_a_page_without_long_lines_is_level() -> None:
    assert direction([], ORDER_LENGTH) == (1.0, 0.0)
    assert direction([slanted(0.05, 0.3)], CODE_LENGTH) == (1.0, 0.0)
    assert slope_by_height([], 1.4) == (0.0, 0.0)
    assert skew_of(page("")) == 0.0
    assert reading_order((), 0.7) == ()


def test_a_line_of_a_code_s_length_tells_where_codes_are_sought_and_not_the_order() -> None:
    short = [slanted(0.07, 0.2)]
    assert direction(short, ORDER_LENGTH) == (1.0, 0.0)
    right, down = direction(short, CODE_LENGTH)
    assert down / right == pytest.approx(0.2)


def test_a_seal_does_not_turn_the_page() -> None:
    lines = [slanted(0.4, 0.0, top=0.1 * row) for row in range(1, 6)]
    rim = [slanted(0.09, slope, top=0.8) for slope in (0.9, 1.2)]
    assert direction([*lines, *rim], ORDER_LENGTH)[1] == 0.0
    assert slope_by_height([*lines, *rim], 0.7)[0] == 0.0


def test_the_slope_of_a_photograph_grows_down_the_page() -> None:
    lines = [slanted(0.5, 0.1 * (0.1 + 0.1 * row), top=0.1 + 0.1 * row) for row in range(8)]
    base, change = slope_by_height(lines, 1.0)
    assert change == pytest.approx(0.1, rel=0.05)
    assert base == pytest.approx(0.0, abs=0.005)


def test_heights_distances_and_boxes() -> None:
    quad: Quad = ((0.1, 0.1), (0.5, 0.1), (0.5, 0.2), (0.1, 0.16))
    assert line_height(quad) == pytest.approx(0.08)
    assert line_height(quad, 1000, 500) == pytest.approx(40.0)
    assert distance((0.0, 0.0), (0.3, 0.4)) == pytest.approx(0.5)
    assert distance((0.0, 0.0), (0.3, 0.4), 10, 10) == pytest.approx(5.0)
    assert around(quad) == (0.1, 0.1, 0.5, 0.2)
    assert hull([(0.2, -0.1, 0.4, 0.3), (0.1, 0.2, 1.2, 0.5)]) == (0.1, 0.0, 1.0, 0.5)

"""Red seals fade, type and everything else stays; on real pixels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ocr_moe.intake.seals import find_seals, without_seals

RED = (205, 50, 45)


def sheet(paper: tuple[int, int, int] = (250, 248, 240)) -> Image.Image:
    image = Image.new("RGB", (1200, 800), paper)
    draw = ImageDraw.Draw(image)
    for number in range(6):
        draw.rectangle((700 + 40 * number, 590, 720 + 40 * number, 600), fill=(30, 30, 30))
    return image


def stamped(image: Image.Image) -> Image.Image:
    """A ring with a star's worth of ink, multiplied onto the page as ink is."""
    ink = Image.new("RGB", image.size, (255, 255, 255))
    draw = ImageDraw.Draw(ink)
    draw.ellipse((720, 500, 900, 680), outline=RED, width=8)
    draw.ellipse((790, 570, 830, 610), fill=RED)
    product = np.asarray(image).astype(np.float32) * np.asarray(ink).astype(np.float32) / 255
    return Image.fromarray(product.astype(np.uint8))


def grey(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image.convert("L")).astype(np.float32)


def test_a_seal_is_found_and_faded_and_type_under_it_stays() -> None:
    clean, dirty = sheet(), stamped(sheet())
    boxes = find_seals(dirty)
    assert len(boxes) == 1
    x0, y0, x1, y1 = boxes[0]
    assert x0 <= 720 <= 900 <= x1
    assert y0 <= 500 <= 680 <= y1
    before = np.abs(grey(dirty) - grey(clean))[500:680, 720:900].mean()
    after = np.abs(grey(without_seals(dirty)) - grey(clean))[500:680, 720:900].mean()
    assert after < 0.25 * before
    type_under_seal = grey(without_seals(dirty))[593:597, 745:755]
    assert type_under_seal.max() < 90


def test_nothing_changes_where_there_is_no_seal() -> None:
    image = sheet()
    assert find_seals(image) == []
    assert without_seals(image) is image


@pytest.mark.parametrize("ink", [(190, 150, 60), (40, 70, 190), (30, 30, 30)])
def test_gold_blue_and_black_are_no_seals(ink: tuple[int, int, int]) -> None:
    image = sheet()
    ImageDraw.Draw(image).ellipse((200, 200, 380, 380), outline=ink, width=10)
    assert find_seals(image) == []


def test_red_type_and_red_rules_stay() -> None:
    image = sheet()
    draw = ImageDraw.Draw(image)
    for number in range(12):
        draw.rectangle((100 + 30 * number, 100, 118 + 30 * number, 130), outline=RED, width=3)
    draw.rectangle((20, 20, 1180, 780), outline=RED, width=4)
    assert find_seals(image) == []


def test_small_and_grey_images_pass() -> None:
    for size in ((1, 1), (40, 30), (3, 900)):
        image = Image.new("RGB", size, (240, 240, 240))
        assert without_seals(image).size == size
    assert without_seals(Image.new("L", (50, 50), 200)).size == (50, 50)

"""Red seals fade, type and everything else stays; on real pixels."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw

from ocr_moe.generation.fonts import FontBook, load
from ocr_moe.generation.ornaments.seals import oval_seal, round_seal
from ocr_moe.intake.seals import find_seals, without_seals

RED = (205, 50, 45)
BOOK = FontBook.discover()


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
    return ImageChops.multiply(image, ink)


def pressed(image: Image.Image, seal: Image.Image, x: int, y: int) -> Image.Image:
    """The page with a seal's layer pressed on it around a point, which may be off its edge."""
    ink = Image.new("RGB", image.size, "white")
    ink.paste(seal, (x - seal.width // 2, y - seal.height // 2))
    return ImageChops.multiply(image, ink)


def grey(image: Image.Image) -> NDArray[np.float32]:
    return np.asarray(image.convert("L")).astype(np.float32)


def test_a_seal_is_found_and_faded_and_type_under_it_stays() -> None:
    clean, dirty = sheet(), stamped(sheet())
    [seal] = find_seals(dirty)
    x0, y0, x1, y1 = seal.box
    assert (x0, y0, x1, y1) == pytest.approx((720, 500, 900, 680), abs=6)
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


@pytest.mark.parametrize("title", ["荣誉证书", "获奖证书", "金奖", "奖", "国", "CERTIFICATE"])
@pytest.mark.parametrize("style", ["songbold", "heibold", "kai"])
def test_red_titles_stay(title: str, style: str) -> None:
    image = sheet()
    face = BOOK.of(style)[0]
    for size, y in ((110, 120), (70, 330)):
        font = load(face.path, face.index, size)
        ImageDraw.Draw(image).text((600, y), title, fill=RED, font=font, anchor="mm")
    assert without_seals(image) is image


def test_a_title_keeps_its_ink_beside_a_seal_that_fades() -> None:
    image = stamped(sheet())
    font = load(BOOK.of("heibold")[0].path, BOOK.of("heibold")[0].index, 60)
    ImageDraw.Draw(image).text((700, 500), "金", fill=RED, font=font, anchor="mm")
    faded = without_seals(image)
    assert grey(faded)[470:530, 672:712].min() < 120
    assert grey(faded)[676:680, 790:830].min() > 180


@pytest.mark.parametrize("seed", range(4))
def test_printed_seals_are_found_worn_side_by_side_and_cut_off(seed: int) -> None:
    rng, face = Random(seed), BOOK.of("song")[0]
    first = round_seal(BOOK, face, rng, "江城理工大学", 170, strength=0.5)
    second = round_seal(BOOK, face, rng, "江城市教育局", 170)
    image = pressed(pressed(sheet(), first, 800, 600), second, 920, 610)
    image = pressed(image, round_seal(BOOK, face, rng, "江城师范大学", 180), 1170, 300)
    image = pressed(image, oval_seal(BOOK, face, rng, "档案专用章", 170), 300, 650)
    centres = sorted((round(seal.x), round(seal.y)) for seal in find_seals(image))
    expected = [(300, 650), (800, 600), (920, 610), (1170, 300)]
    assert centres == [pytest.approx(place, abs=15) for place in expected]


def test_small_and_grey_images_pass() -> None:
    for size in ((1, 1), (40, 30), (3, 900)):
        image = Image.new("RGB", size, (240, 240, 240))
        assert without_seals(image).size == size
    assert without_seals(Image.new("L", (50, 50), 200)).size == (50, 50)

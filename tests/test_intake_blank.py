"""Blank paper, however it was scanned, and what only looks like it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from ocr_moe.intake.blank import is_blank

SIZE = (1240, 1754)


def paper(level: int = 245) -> Image.Image:
    return Image.new("RGB", SIZE, (level, level, level - 5))


def noisy() -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 11, (SIZE[1], SIZE[0], 1))
    return Image.fromarray((np.asarray(paper()) + noise).clip(0, 255).astype(np.uint8))


def shaded() -> Image.Image:
    light = np.linspace(1.0, 0.6, SIZE[0])[None, :, None]
    return Image.fromarray((np.asarray(paper()) * light).astype(np.uint8))


def written(image: Image.Image, text: str, ink: int, size: int = 40) -> Image.Image:
    draw = ImageDraw.Draw(image)
    for line in range(20):
        draw.text((150, 200 + 60 * line), text, fill=(ink, ink, ink), font_size=size)
    return image


def shining_through() -> Image.Image:
    back = written(paper(), "The other side of this sheet is printed", 215)
    return back.transpose(Image.Transpose.FLIP_LEFT_RIGHT).filter(ImageFilter.GaussianBlur(2))


def specked() -> Image.Image:
    image = paper()
    draw = ImageDraw.Draw(image)
    for x, y in np.random.default_rng(1).integers(0, 1200, (30, 2)).tolist():
        draw.ellipse((x, y, x + 2, y + 2), fill="black")
    return image


def edged() -> Image.Image:
    """Black where the lid did not cover the glass, and a binder's holes."""
    image = paper()
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 25, SIZE[1]), fill="black")
    draw.rectangle((0, SIZE[1] - 30, SIZE[0], SIZE[1]), fill="black")
    for y in (500, 1200):
        draw.ellipse((20, y, 50, y + 30), fill="black")
    return image


@pytest.mark.parametrize("page", [paper, noisy, shaded, shining_through, specked, edged])
def test_blank(page: Callable[[], Image.Image]) -> None:
    assert is_blank(page())


def one_line() -> Image.Image:
    image = paper()
    ImageDraw.Draw(image).text((400, 800), "No. 100051201905001234", fill="black", font_size=30)
    return image


def a_seal() -> Image.Image:
    image = paper()
    ImageDraw.Draw(image).ellipse((800, 1200, 1050, 1450), outline=(200, 30, 30), width=8)
    return image


def a_photo() -> Image.Image:
    image = paper()
    image.paste((90, 80, 70), (300, 400, 900, 1200))
    return image


def unlit() -> Image.Image:
    return paper(12)


def faded() -> Image.Image:
    return written(paper(), "Faded print that is still to be read", 150)


@pytest.mark.parametrize("page", [one_line, a_seal, a_photo, unlit, faded])
def test_not_blank(page: Callable[[], Image.Image]) -> None:
    assert not is_blank(page())


@pytest.mark.parametrize("size", [(1, 1), (3, 2000), (2000, 3), (41, 41)])
def test_any_size(size: tuple[int, int]) -> None:
    assert is_blank(Image.new("RGB", size, "white"))
    assert not is_blank(Image.new("RGB", size, "black"))

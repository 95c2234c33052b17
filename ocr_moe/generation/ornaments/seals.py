"""Seals: red ink with worn places, and blind embossed steel seals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from ocr_moe.generation.fonts import FontBook, Typeface, load

Colour = tuple[int, int, int]
REDS: tuple[Colour, ...] = (
    (214, 40, 40),
    (198, 30, 45),
    (225, 60, 50),
    (190, 45, 60),
    (210, 70, 80),
)


def round_seal(
    book: FontBook,
    face: Typeface,
    rng: Random,
    text: str,
    diameter: int,
    *,
    below: str = "",
    colour: Colour | None = None,
    strength: float | None = None,
) -> Image.Image:
    """A round seal with a star: `text` along the upper arc, `below` straight under the star."""
    mask = _round_mask(book, face, rng, text, diameter, below)
    mask = mask.rotate(rng.uniform(-14, 14), Image.Resampling.BICUBIC, expand=False)
    return _inked(mask, rng, colour or rng.choice(REDS), strength or rng.uniform(0.55, 0.92))


def square_seal(
    book: FontBook, face: Typeface, rng: Random, text: str, side: int, *, carved: bool = False
) -> Image.Image:
    """A personal seal of up to four characters in two columns, read from the right."""
    mask = Image.new("L", (side, side), 255 if carved else 0)
    draw = ImageDraw.Draw(mask)
    ink = 0 if carved else 255
    edge = max(2, side // 22)
    draw.rectangle((edge, edge, side - edge, side - edge), outline=ink, width=edge)
    text = (text + "之印")[:4] if len(text) < 4 else text[:4]
    size = round(side * 0.40)
    for n, char in enumerate(text):
        font = _font(book, face, char, size)
        x = side * (0.72 if n < 2 else 0.28)
        draw.text(
            (x, side * (0.29 if n % 2 == 0 else 0.71)), char, font=font, fill=ink, anchor="mm"
        )
    mask = mask.rotate(rng.uniform(-4, 4), Image.Resampling.BICUBIC)
    return _inked(mask, rng, rng.choice(REDS), rng.uniform(0.6, 0.95))


def oval_seal(book: FontBook, face: Typeface, rng: Random, text: str, width: int) -> Image.Image:
    """An oval office stamp: one or two straight lines of text in an ellipse."""
    height = round(width * rng.uniform(0.5, 0.62))
    mask = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(mask)
    draw.ellipse((2, 2, width - 3, height - 3), outline=255, width=max(2, width // 50))
    half = (len(text) + 1) // 2
    lines = [text] if len(text) <= 6 else [text[:half], text[half:]]
    size = min(round(height / (len(lines) + 1.4)), round(0.8 * width / max(map(len, lines))))
    for n, line in enumerate(lines):
        y = height / 2 + (n - (len(lines) - 1) / 2) * size * 1.15
        x = width / 2 - (len(line) - 1) * size * 0.5
        for k, char in enumerate(line):
            font = _font(book, face, char, size)
            draw.text((x + k * size, y), char, font=font, fill=255, anchor="mm")
    mask = mask.rotate(rng.uniform(-8, 8), Image.Resampling.BICUBIC, expand=True)
    return _inked(mask, rng, rng.choice(REDS), rng.uniform(0.5, 0.85))


def block_seal(
    book: FontBook, face: Typeface, rng: Random, lines: Sequence[str], width: int
) -> Image.Image:
    """A square seal with lines of words, as licences bear it."""
    mask = Image.new("L", (width, width), 0)
    draw = ImageDraw.Draw(mask)
    edge = max(2, width // 40)
    draw.rectangle((edge, edge, width - edge, width - edge), outline=255, width=edge)
    size = round(min(0.84 * width / max(map(len, lines)), 0.84 * width / len(lines) / 1.1))
    for n, line in enumerate(lines):
        y = width / 2 + (n - (len(lines) - 1) / 2) * size * 1.1
        for k, char in enumerate(line):
            x = width / 2 + (k - (len(line) - 1) / 2) * size
            font = _font(book, face, char, size)
            draw.text((x, y), char, font=font, fill=255, anchor="mm")
    mask = mask.rotate(rng.uniform(-3, 3), Image.Resampling.BICUBIC, expand=True)
    return _inked(mask, rng, rng.choice(REDS), rng.uniform(0.6, 0.9))


def steel_seal(
    book: FontBook, face: Typeface, rng: Random, text: str, diameter: int
) -> Image.Image:
    """A blind seal, embossed without ink: only light and shadow of its relief."""
    mask = _round_mask(book, face, rng, text, diameter, "")
    relief = (
        ImageOps.expand(mask, 4)
        .filter(ImageFilter.GaussianBlur(1.1))
        .filter(ImageFilter.Kernel((3, 3), (-2, -1, 0, -1, 0, 1, 0, 1, 2), scale=3, offset=255))
    )
    return ImageOps.colorize(ImageOps.crop(relief, 3), (120, 120, 124), (255, 255, 255))


def _font(book: FontBook, face: Typeface, char: str, size: int) -> ImageFont.FreeTypeFont:
    chosen = book.covering(face, char)
    return load(chosen.path, chosen.index, max(6, size))


def _round_mask(
    book: FontBook, face: Typeface, rng: Random, text: str, diameter: int, below: str
) -> Image.Image:
    """Where a round seal has ink, 0-255."""
    mask = Image.new("L", (diameter, diameter), 0)
    draw = ImageDraw.Draw(mask)
    radius = diameter / 2
    rim = max(2, round(diameter / rng.uniform(32, 48)))
    draw.ellipse((1, 1, diameter - 2, diameter - 2), outline=255, width=rim)
    _star(draw, radius, radius, radius * rng.uniform(0.24, 0.3))
    span = math.radians(min(270.0, 26.0 * len(text) + 20))
    size = round(min(diameter * 0.15, span * radius * 0.76 / max(4, len(text)) * 1.15))
    for n, char in enumerate(text):
        angle = -span / 2 + span * (n + 0.5) / len(text)
        glyph = Image.new("L", (size * 2, size * 2), 0)
        font = _font(book, face, char, size)
        ImageDraw.Draw(glyph).text((size, size), char, font=font, fill=255, anchor="mm")
        glyph = glyph.rotate(-math.degrees(angle), Image.Resampling.BILINEAR)
        reach = radius - rim - size * 0.72
        x, y = radius + reach * math.sin(angle), radius - reach * math.cos(angle)
        mask.paste(255, (round(x - size), round(y - size)), glyph)
    if below:
        small = max(6, min(round(diameter * 0.1), round(diameter * 0.62 / len(below))))
        for k, char in enumerate(below):
            font = _font(book, face, char, small)
            x = radius + (k - (len(below) - 1) / 2) * small * (1.02 if char > "z" else 0.6)
            draw.text((x, radius * 1.52), char, font=font, fill=255, anchor="mm")
    return mask


def _star(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float) -> None:
    points = []
    for n in range(10):
        reach = radius if n % 2 == 0 else radius * 0.382
        angle = math.pi * n / 5
        points.append((x + reach * math.sin(angle), y - reach * math.cos(angle)))
    draw.polygon(points, fill=255)


def _inked(mask: Image.Image, rng: Random, colour: Colour, strength: float) -> Image.Image:
    """A layer for multiplying: the mask in this colour, unevenly inked."""
    generator = np.random.default_rng(rng.getrandbits(32))
    cells = generator.uniform(0.55, 1.25, (9, 9)).astype(np.float32)
    uneven = np.asarray(
        Image.fromarray(cells).resize(mask.size, Image.Resampling.BICUBIC), dtype=np.float32
    )
    grain = generator.random((mask.height, mask.width), np.float32)
    alpha = np.asarray(mask, dtype=np.float32) / 255 * strength * np.clip(uneven, 0.2, 1.1)
    alpha = np.clip(alpha * np.where(grain < 0.08, 0.45, 1.0), 0, 1)[:, :, None]
    layer = 255 - alpha * (255 - np.array(colour, dtype=np.float32))
    return Image.fromarray(layer.astype(np.uint8))

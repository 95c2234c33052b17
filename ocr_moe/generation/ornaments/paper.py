"""Paper, frames and the fine background patterns of certificates."""

from __future__ import annotations

import math
from random import Random

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from ocr_moe.generation.fonts import Typeface, load

Colour = tuple[int, int, int]
TINTS: tuple[Colour, ...] = (
    (255, 255, 255),
    (254, 252, 246),
    (252, 248, 236),
    (250, 244, 226),
    (248, 244, 240),
    (246, 250, 246),
    (244, 248, 252),
    (253, 245, 243),
    (247, 240, 224),
    (242, 240, 232),
)
FRAMES: tuple[Colour, ...] = (
    (168, 42, 40),
    (150, 110, 40),
    (186, 146, 72),
    (44, 96, 60),
    (40, 70, 130),
    (120, 60, 40),
    (92, 92, 92),
    (200, 120, 110),
    (120, 150, 120),
)


def blank(rng: Random, size: tuple[int, int], tint: Colour | None = None) -> Image.Image:
    """A sheet of paper: a tint, slightly cloudy."""
    base = np.array(tint or rng.choice(TINTS), dtype=np.float32)
    generator = np.random.default_rng(rng.getrandbits(32))
    clouds = base + generator.uniform(-3, 3, (6, 8, 1)).astype(np.float32)
    tile = Image.fromarray(np.clip(clouds, 0, 255).astype(np.uint8))
    return tile.resize(size, Image.Resampling.BICUBIC)


def tinted(image: Image.Image, mask: Image.Image, colour: Colour, strength: float) -> Image.Image:
    """Multiplies a pattern (`L`, 255 where ink is) in a colour onto the image."""
    layers = [
        mask.point([round(255 - v * strength * (255 - c) / 255) for v in range(256)])
        for c in colour
    ]
    return ImageChops.multiply(image, Image.merge("RGB", layers))


def guilloche(rng: Random, image: Image.Image, colour: Colour, strength: float) -> Image.Image:
    """Interlaced waves or a large rosette over the whole page."""
    width, height = image.size
    step = 2
    y, x = np.mgrid[0 : height // step + 1, 0 : width // step + 1].astype(np.float32) * step
    kind = rng.choice(("waves", "waves", "rosette", "moire", "mesh"))
    period = rng.uniform(14, 30)
    if kind == "waves":
        swing, length = rng.uniform(8, 34), rng.uniform(90, 320)
        first = np.sin((y + swing * np.sin(x * 2 * math.pi / length)) * 2 * math.pi / period)
        second = np.sin((y - swing * np.sin(x * 2 * math.pi / length)) * 2 * math.pi / period)
        lines = np.maximum(first, second)
    elif kind == "mesh":
        a = np.sin((x + y) * 2 * math.pi / period)
        b = np.sin((x - y) * 2 * math.pi / period)
        lines = np.maximum(a, b)
    else:
        cx, cy = width / 2, height * rng.uniform(0.4, 0.6)
        distance = np.hypot(x - cx, y - cy)
        angle = np.arctan2(y - cy, x - cx)
        petals = rng.choice((8, 12, 16, 24))
        swing = distance * rng.uniform(0.05, 0.14)
        first = np.sin((distance + swing * np.sin(angle * petals)) * 2 * math.pi / period)
        second = np.sin((distance - swing * np.sin(angle * petals)) * 2 * math.pi / period)
        lines = np.maximum(first, second) if kind == "rosette" else first
    mask = Image.fromarray((np.clip((lines - 0.8) * 5, 0, 1) * 255).astype(np.uint8))
    mask = mask.resize((mask.width * step, mask.height * step), Image.Resampling.BILINEAR)
    return tinted(image, mask.crop((0, 0, width, height)), colour, strength)


def watermark(
    rng: Random, image: Image.Image, text: str, face: Typeface, colour: Colour, strength: float
) -> Image.Image:
    """The text again and again, slanted and pale."""
    size = max(12, image.width // rng.randint(26, 48))
    font = load(face.path, face.index, size)
    step = round(font.getlength(text) + size * rng.uniform(1, 3))
    side = round(1.5 * max(image.size))
    mask = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(mask)
    for n, y in enumerate(range(0, side, round(size * rng.uniform(2.5, 5)))):
        for x in range(-step * (n % 2) // 2, side, step):
            draw.text((x, y), text, font=font, fill=255)
    mask = mask.rotate(rng.choice((20, 30, 45, -30)), Image.Resampling.BILINEAR)
    left, top = (side - image.width) // 2, (side - image.height) // 2
    mask = mask.crop((left, top, left + image.width, top + image.height))
    return tinted(image, mask, colour, strength)


def frame(rng: Random, image: Image.Image, colour: Colour, margin: float) -> int:
    """A border around the page, `margin` in parts of the width; one of several kinds.

    Returns how far from the edges it reaches, in pixels.
    """
    draw = ImageDraw.Draw(image)
    width, height = image.size
    gap = round(width * margin)
    box = (gap, gap, width - gap, height - gap)
    kind = rng.choice(("plain", "double", "key", "waves", "scallop", "dense", "corners"))
    if kind in ("plain", "double", "corners"):
        draw.rectangle(box, outline=colour, width=rng.randint(2, 6))
        if kind != "plain":
            inner = rng.randint(8, 16)
            draw.rectangle(
                (box[0] + inner, box[1] + inner, box[2] - inner, box[3] - inner),
                outline=colour,
                width=rng.randint(1, 2),
            )
        if kind == "corners":
            _corners(draw, box, colour, round(width * rng.uniform(0.03, 0.05)))
        return gap + 18
    band = round(width * rng.uniform(0.014, 0.026))
    for reach in (0, band):
        draw.rectangle(
            (box[0] + reach, box[1] + reach, box[2] - reach, box[3] - reach),
            outline=colour,
            width=2,
        )
    motif = {"key": _key, "waves": _wave, "scallop": _scallop, "dense": _lozenge}[kind]
    size = max(8, band - 6)
    tile = motif(size, colour)
    turned = tile.rotate(90, expand=True)
    for x in range(box[0] + 3, box[2] - size, tile.width):
        for y in (box[1] + 4, box[3] - band + 3):
            image.paste(tile, (x, y), tile)
    for y in range(box[1] + 3, box[3] - size, turned.height):
        for x in (box[0] + 4, box[2] - band + 3):
            image.paste(turned, (x, y), turned)
    return gap + band


def _motif(size: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    tile = Image.new("RGBA", (round(size * 1.25), size), (0, 0, 0, 0))
    return tile, ImageDraw.Draw(tile)


def _key(size: int, colour: Colour) -> Image.Image:
    """A cell of the Chinese fret, 回纹."""
    tile, draw = _motif(size)
    u = size / 6
    path = [(0, 5.5), (0.3, 0.4), (5.6, 0.4), (5.6, 4.4), (2, 4.4), (2, 2.2), (4, 2.2)]
    draw.line([(x * u, y * u) for x, y in path], fill=colour, width=max(1, round(u * 0.8)))
    return tile


def _wave(size: int, colour: Colour) -> Image.Image:
    tile, draw = _motif(size)
    width = max(1, size // 9)
    for n in range(3):
        inset = n * size / 6
        draw.arc((inset, inset, size - inset, 2 * size - inset), 180, 360, fill=colour, width=width)
    return tile


def _scallop(size: int, colour: Colour) -> Image.Image:
    tile, draw = _motif(size)
    draw.ellipse((1, 1, size - 2, size - 2), outline=colour, width=max(1, size // 9))
    third = size / 3
    draw.ellipse((third, third, 2 * third, 2 * third), fill=colour)
    return tile


def _lozenge(size: int, colour: Colour) -> Image.Image:
    tile, draw = _motif(size)
    half, wide = size / 2, tile.width
    points = [(0, half), (wide / 2, 0), (wide, half), (wide / 2, size)]
    draw.line([*points, points[0]], fill=colour, width=max(1, size // 10))
    draw.line((0, 0, wide, size), fill=colour, width=1)
    draw.line((0, size, wide, 0), fill=colour, width=1)
    return tile


def _corners(
    draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], colour: Colour, size: int
) -> None:
    for x in (box[0], box[2]):
        for y in (box[1], box[3]):
            for n in (1, 2, 3):
                reach = size * n // 3
                draw.ellipse((x - reach, y - reach, x + reach, y + reach), outline=colour, width=2)

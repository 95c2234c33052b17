"""Notices that people print all over a copy before they hand it in: 仅供入职审核使用."""

from __future__ import annotations

from random import Random

from PIL import Image, ImageDraw, ImageFont

from ocr_moe.generation.fonts import FontBook, load

Colour = tuple[int, int, int]
WORDS = (
    "仅供入职审核使用",
    "仅供资格审查使用",
    "仅供投标使用",
    "仅供学历核验，他用无效",
    "复印无效",
    "内部资料 请勿外传",
    "仅限办理社保业务",
    "SAMPLE",
    "COPY ONLY",
)
INKS: tuple[Colour, ...] = (
    *((shade,) * 3 for shade in (160, 175, 190, 200, 210, 218, 225)),
    (175, 200, 238),
    (240, 185, 180),
)


def print_notice(rng: Random, image: Image.Image, book: FontBook) -> tuple[Image.Image, float]:
    """The page with a notice drawn at random, and how many degrees anticlockwise it runs up."""
    words = rng.choice(WORDS)
    if rng.random() < 0.25:
        words += f" {rng.randint(2015, 2025)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    face = rng.choice(book.of("hei", "song"))
    font = load(face.path, face.index, max(round(image.width * rng.uniform(0.016, 0.036)), 10))
    degrees = rng.choice((-1, 1, 1)) * rng.uniform(15, 55)
    spacing = (rng.uniform(1.2, 2.2), rng.uniform(3.5, 8.0))
    ink, opacity = rng.choice(INKS), rng.choice((1.0, 0.5, 0.35))
    printed = notice(image, words, font, degrees=degrees, ink=ink, spacing=spacing, opacity=opacity)
    return printed, degrees


def notice(
    image: Image.Image,
    words: str,
    font: ImageFont.FreeTypeFont,
    *,
    degrees: float,
    ink: Colour,
    spacing: tuple[float, float] = (1.5, 5.0),
    opacity: float = 0.5,
) -> Image.Image:
    """The RGB page with words all over it, line after line, over whatever is printed there.

    Args:
        degrees: by which the lines run up, anticlockwise.
        ink: what it looks like on white paper.
        spacing: from one to the next along a line, in lengths of the words, and from line to line,
            in type sizes.
        opacity: 1 covers what is under it; less lets it through, in darker ink.
    """
    size, length = round(font.size), font.getlength(words)
    side = round(1.5 * max(image.size))
    mask = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(mask)
    step = max(round(length * spacing[0]), 1)
    for row, y in enumerate(range(0, side, max(round(size * spacing[1]), 1))):
        for x in range(-(row % 2) * step // 2, side, step):
            draw.text((x, y), words, font=font, fill=round(255 * opacity))
    mask = mask.rotate(degrees, Image.Resampling.BICUBIC)
    left, top = (side - image.width) // 2, (side - image.height) // 2
    mask = mask.crop((left, top, left + image.width, top + image.height))
    pure = tuple(max(round(255 - (255 - channel) / opacity), 0) for channel in ink)
    return Image.composite(Image.new("RGB", image.size, pure), image, mask)

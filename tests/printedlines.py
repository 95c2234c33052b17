"""Text lines printed for the tests of line recognisers, and their plainest decoding."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from ocr_moe.protocols import Posterior


def printed(text: str, size: int = 30, ink: tuple[int, int, int] = (20, 20, 20)) -> Image.Image:
    font = ImageFont.load_default(size)
    width = int(font.getlength(text)) + size
    image = Image.new("RGB", (width, int(size * 1.5)), (250, 247, 240))
    ImageDraw.Draw(image).text((size // 2, size // 5), text, font=font, fill=ink)
    return image


def greedy(posterior: Posterior) -> str:
    best = posterior.probabilities.argmax(axis=1)
    kept = [k for place, k in enumerate(best) if place == 0 or best[place - 1] != k]
    return "".join(posterior.alphabet[k] for k in kept)

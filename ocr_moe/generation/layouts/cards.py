"""Cards on a page: plastic cards and leaves of booklets, alone, several on a copy, or laid in a form."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PIL import Image, ImageDraw

from ocr_moe.generation.fonts import Typeface
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import paper, seals
from ocr_moe.generation.sheet import Colour, Pen, PixelBox, Sheet, TextRun

RATIO = 54 / 85.6
"""Height over width of a card of the size ID-1."""
NOTICES = (
    "仅供办理入职手续使用",
    "仅供办理银行业务使用，他用无效",
    "仅限办理社保业务",
    "仅用于投标资格审查",
    "复印件与原件一致",
    "与原件核对无误",
)


@dataclass(frozen=True)
class Card:
    """A card's place on the sheet; positions on it are in parts of its width, from its upper left."""

    sheet: Sheet
    left: float
    top: float
    width: float

    def at(self, x: float, y: float) -> tuple[float, float]:
        return self.left + x * self.width, self.top + y * self.width

    def pen(self, face: Typeface, size: float, ink: Colour, spacing: float = 0.0) -> Pen:
        """A pen of a type size in parts of the card's width."""
        return Pen(face, max(9, round(size * self.width)), ink, spacing)

    def text(
        self, x: float, y: float, text: str, pen: Pen, *, field: str | None = None, align: str = "l"
    ) -> PixelBox:
        return self.sheet.text(*self.at(x, y), text, pen, field=field, align=align)

    def fitted(
        self, x: float, y: float, right: float, text: str, pen: Pen, *, field: str | None = None
    ) -> PixelBox:
        """A line of text, in smaller type where it would go beyond `right`."""
        room = (right - x) * self.width
        while pen.size > 10 and self.sheet.measure(text, pen) > room:
            pen = replace(pen, size=pen.size - 1)
        return self.text(x, y, text, pen, field=field)

    def flow(
        self, x: float, y: float, right: float, text: str, pen: Pen, *, field: str, leading: float
    ) -> float:
        """A value over several lines; returns the last baseline, in parts of the card's width."""
        start, base = self.at(x, y)
        box = (start, base, self.at(right, y)[0])
        run = TextRun(text, field)
        last = self.sheet.flow(box, [(run, pen)], leading=leading * self.width, justify=False)
        return (last - self.top) / self.width

    def paste(self, picture: Image.Image, x: float, y: float) -> None:
        left, top = self.at(x, y)
        self.sheet.image.paste(picture, (round(left), round(top)))

    def stamp(self, layer: Image.Image, x: float, y: float) -> None:
        """A layer of ink centred at a point of the card."""
        self.sheet.stamp(layer, *self.at(x, y))


def lay(
    sheet: Sheet,
    left: float,
    top: float,
    width: float,
    *,
    ratio: float = RATIO,
    tint: Colour,
    pattern: Colour,
    strength: float,
    rounded: float = 0.035,
) -> Card:
    """An empty card on the sheet: tinted, with fine lines on it, and an edge."""
    rng = sheet.rng
    size = (round(width), round(width * ratio))
    ground = paper.guilloche(rng, paper.blank(rng, size, tint), pattern, strength)
    mask = Image.new("L", size, 0)
    radius = round(rounded * width)
    box = (0, 0, size[0] - 1, size[1] - 1)
    ImageDraw.Draw(mask).rounded_rectangle(box, radius, fill=255)
    sheet.image.paste(ground, (round(left), round(top)), mask)
    shade = rng.randint(120, 205)
    edge = (left, top, left + size[0], top + size[1])
    sheet.draw.rounded_rectangle(edge, radius, outline=(shade, shade, shade), width=1)
    return Card(sheet, left, top, width)


def fill_page(
    sheet: Sheet, *, tint: Colour, pattern: Colour, strength: float, ratio: float = RATIO
) -> Card:
    """A card that takes up nearly all of the page, as one that was cut out of its scan."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    width = min(w * rng.uniform(0.93, 0.985), h / ratio * 0.985)
    left, top = (w - width) / 2, (h - width * ratio) / 2
    return lay(sheet, left, top, width, ratio=ratio, tint=tint, pattern=pattern, strength=strength)


def copied(sheet: Sheet, look: Look) -> None:
    """What is on a copy that somebody hands in: a line of what it is for, a stamp; no colour, mostly.

    To be called once everything else is drawn.
    """
    rng, w, h = sheet.rng, sheet.width, sheet.height
    if rng.random() < 0.5:
        grey = sheet.image.convert("L").convert("RGB")
        sheet.image.paste(grey)
    if rng.random() < 0.4:
        pen = Pen(rng.choice(sheet.book.of("kai", "song")), round(w * 0.022), look.fill_ink)
        sheet.text(w * rng.uniform(0.3, 0.6), h * rng.uniform(0.9, 0.95), rng.choice(NOTICES), pen)
    if rng.random() < 0.25:
        width = round(w * rng.uniform(0.13, 0.18))
        words = rng.choice(NOTICES[-2:])
        layer = seals.oval_seal(sheet.book, look.title_face, rng, words, width)
        sheet.stamp(layer, w * rng.uniform(0.7, 0.88), h * rng.uniform(0.86, 0.95))

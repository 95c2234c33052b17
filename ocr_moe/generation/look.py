"""The look of one document: typefaces, inks and habits, drawn once and kept through the page."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ocr_moe.generation.dates import DateStyle
from ocr_moe.generation.fonts import FontBook, Typeface
from ocr_moe.generation.ornaments.paper import FRAMES
from ocr_moe.generation.sheet import Colour, Pen

BLACKS: tuple[Colour, ...] = ((18, 18, 20), (34, 30, 30), (52, 48, 46), (28, 28, 40), (64, 60, 58))


@dataclass
class Look:
    title_face: Typeface
    body_face: Typeface
    fill_face: Typeface
    digit_face: Typeface
    latin_face: Typeface
    title_ink: Colour
    body_ink: Colour
    fill_ink: Colour
    accent: Colour
    dates: DateStyle
    foot_dates: DateStyle
    underline: bool
    shift: float
    """Offset of what was filled in against the form, in parts of the type size."""
    digit_spacing: float
    digit_groups: tuple[int, ...]
    """Lengths of groups of digits set apart by spaces; empty for none."""
    numbered: bool
    """Whether the number is printed at all."""
    form_serial: bool
    """Whether the blank form carries a running number of its own, which is no field."""

    @classmethod
    def draw(cls, rng: Random, book: FontBook, *, older: bool = False) -> Look:
        body = rng.choice(
            book.of(
                *rng.choices((("song",), ("kai",), ("hei",), ("fang",)), weights=(45, 30, 15, 10))[
                    0
                ]
            )
        )
        fill = body
        if rng.random() < 0.55:
            fill = rng.choice(book.of(*rng.choice((("song",), ("kai",), ("hei",), ("songbold",)))))
        digit = rng.choice(
            (
                body,
                fill,
                *rng.choices(book.of("serif", "sans", "mono"), k=3),
                rng.choice(book.of("fang", "song")),
            )
        )
        body_ink, fill_ink = rng.choice(BLACKS), rng.choice(BLACKS)
        dates = DateStyle.draw(rng, "arabic chinese chinese" if older else "arabic chinese")
        foot = dates
        if rng.random() < 0.2:
            foot = DateStyle.draw(rng)
        if rng.random() < 0.04:
            foot = DateStyle(rng.choice(("dotted", "dashed")))
        groups: tuple[int, ...] = ()
        if rng.random() < 0.16:
            groups = rng.choice(((5, 1, 4, 2, 6), (4, 4, 4, 4, 4), (6, 6, 6), (5, 5, 5, 5)))
        return cls(
            title_face=rng.choice(book.of("songbold", "heibold", "kai", "song", "hei")),
            body_face=body,
            fill_face=fill,
            digit_face=digit,
            latin_face=rng.choice(book.of("serif", "sans", "italic")),
            title_ink=rng.choice(
                (body_ink, (178, 30, 34), (150, 110, 30), (120, 70, 20), body_ink)
            ),
            body_ink=body_ink,
            fill_ink=fill_ink,
            accent=rng.choice(FRAMES),
            dates=dates,
            foot_dates=foot,
            underline=rng.random() < 0.15,
            shift=rng.uniform(-0.12, 0.12) if rng.random() < 0.4 else 0.0,
            digit_spacing=rng.choice((0, 0, 0, 0, 0.05, 0.1, 0.18, 0.3)),
            digit_groups=groups,
            numbered=rng.random() > (0.06 if older else 0.01),
            form_serial=rng.random() < 0.08,
        )

    def body(self, size: float, *, spacing: float = 0.0) -> Pen:
        return Pen(self.body_face, round(size), self.body_ink, spacing)

    def fill(self, size: float, *, spacing: float = 0.0) -> Pen:
        return Pen(self.fill_face, round(size), self.fill_ink, spacing, self.shift, self.underline)

    def digits(self, size: float) -> Pen:
        return Pen(self.digit_face, round(size), self.fill_ink, self.digit_spacing, self.shift / 2)

    def title(self, size: float, *, spacing: float = 0.0) -> Pen:
        return Pen(self.title_face, round(size), self.title_ink, spacing)

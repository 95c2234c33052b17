"""Specimens of travel documents with their machine-readable zones, ICAO Doc 9303, drawn for tests."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from ocr_moe.generation.fonts import system_folders

_VALUES = {"<": 0} | {c: int(c, 36) for c in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_MONOSPACED = ("LiberationMono-Regular.ttf", "DejaVuSansMono.ttf", "FreeMonoBold.ttf")
_PRINT = "LiberationSans-Regular.ttf"
_SURNAMES = [
    "ERIKSSON",
    "MUELLER",
    "O<CONNOR",
    "GARCIA<LOPEZ",
    "NAKAMURA",
    "KOWALSKA",
    "DUBOIS",
    "SMITH",
    "ZHANG",
    "IVANOVA",
]
_GIVEN = [
    "ANNA<MARIA",
    "JEAN<PIERRE",
    "LI",
    "OLGA",
    "JOHN<PAUL<GEORGE",
    "KEIKO",
    "SOFIA",
    "WILLIAM",
    "XIAOMING",
    "ILSE",
]
_STATES = ["UTO", "D<<", "FRA", "GBR", "JPN", "POL", "ESP", "CHN", "USA", "IRL"]


class Holder(NamedTuple):
    """What a document says of its holder, as its zone writes it."""

    number: str
    surname: str
    given: str
    state: str
    birth: date
    sex: str
    expiry: date

    def truth(self) -> dict[str, str]:
        """By the fields of examples/passport.yaml."""
        return {
            "number": self.number,
            "surname": self.surname.replace("<", " "),
            "given names": self.given.replace("<", " "),
            "nationality": self.state.replace("<", ""),
            "birth": self.birth.isoformat(),
            "sex": {"<": "X"}.get(self.sex, self.sex),
            "expiry": self.expiry.isoformat(),
        }


def draw_holder(rng: Random) -> Holder:
    letters = rng.choice(["", "L", "CO", "X"])
    length = rng.choice([8, 9])
    expiry = date(2026, 1, 1) + timedelta(days=rng.randrange(3000))
    return Holder(
        number=letters + "".join(rng.choice("0123456789") for _ in range(length - len(letters))),
        surname=rng.choice(_SURNAMES),
        given=rng.choice(_GIVEN),
        state=rng.choice(_STATES),
        birth=date(1930, 1, 1) + timedelta(days=rng.randrange(31000)),
        sex=rng.choice("MF<" if rng.random() < 0.2 else "MF"),
        expiry=expiry,
    )


def check_digit(text: str) -> str:
    return str(sum(_VALUES[c] * (7, 3, 1)[i % 3] for i, c in enumerate(text)) % 10)


def zone(holder: Holder, size: str, personal: str = "") -> list[str]:
    """The lines of the zone of a document of size TD1, TD2 or TD3."""
    number = holder.number.ljust(9, "<")
    number += check_digit(number)
    birth, expiry = (f"{day:%y%m%d}" for day in (holder.birth, holder.expiry))
    birth, expiry = birth + check_digit(birth), expiry + check_digit(expiry)
    names = f"{holder.surname}<<{holder.given}"
    if size == "TD3":
        optional = personal.ljust(14, "<")
        optional += check_digit(optional) if personal else "<"
        second = f"{number}{holder.state}{birth}{holder.sex}{expiry}{optional}"
        second += check_digit(number + birth + expiry + optional)
        return [f"P<{holder.state}{names}".ljust(44, "<"), second]
    if size == "TD2":
        optional = personal.ljust(7, "<")
        second = f"{number}{holder.state}{birth}{holder.sex}{expiry}{optional}"
        second += check_digit(number + birth + expiry + optional)
        return [f"I<{holder.state}{names}".ljust(36, "<"), second]
    optional, more = personal.ljust(15, "<"), "<" * 11
    first = f"I<{holder.state}{number}{optional}"
    second = f"{birth}{holder.sex}{expiry}{holder.state}{more}"
    second += check_digit(number + optional + birth + expiry + more)
    return [first, second, names.ljust(30, "<")]


def specimen(holder: Holder, size: str, rng: Random, personal: str = "") -> Image.Image:
    """A data page with labels, a portrait and the zone."""
    width, height = 1500, 1060
    page = Image.new("RGB", (width, height), (236, 240, 238))
    pen = ImageDraw.Draw(page)
    pen.rectangle((70, 170, 430, 640), fill=(170, 176, 180))
    pen.text(
        (70, 60), "PASSPORT" if size == "TD3" else "IDENTITY CARD", (40, 60, 90), _font(_PRINT, 52)
    )
    rows = [
        ("Surname", holder.surname.replace("<", " ")),
        ("Given names", holder.given.replace("<", " ")),
        ("Nationality", holder.state.replace("<", "")),
        ("Date of birth", f"{holder.birth:%d %b %Y}".upper()),
        ("Sex", {"<": "X"}.get(holder.sex, holder.sex)),
        ("Date of expiry", f"{holder.expiry:%d %b %Y}".upper()),
    ]
    pen.text((1050, 130), "Passport No", (70, 80, 110), _font(_PRINT, 20))
    pen.text((1050, 158), holder.number, (20, 20, 30), _font(_PRINT, 34))
    for index, (label, value) in enumerate(rows):
        pen.text((480, 160 + 92 * index), label, (70, 80, 110), _font(_PRINT, 20))
        pen.text((480, 188 + 92 * index), value, (20, 20, 30), _font(_PRINT, 34))
    name = rng.choice(_MONOSPACED)
    lines = zone(holder, size, personal)
    points = 10
    while _font(name, points + 1).getlength(lines[0]) < width - 160:
        points += 1
    for index, line in enumerate(lines):
        top = height - 70 - (len(lines) - index) * round(1.55 * points)
        pen.text((80, top), line, (25, 25, 30), _font(name, points))
    return page


def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    for folder in system_folders():
        for path in folder.rglob(name):
            return ImageFont.truetype(str(path), size)
    raise FileNotFoundError(name)

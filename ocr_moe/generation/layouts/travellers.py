"""Data pages of passports, with the machine-readable zone at their foot.

The layouts `heldout_…` check what was tuned on the others.
"""

from __future__ import annotations

from collections.abc import Callable

from ocr_moe.generation.dates import MONTHS
from ocr_moe.generation.documents.travellers import Passport
from ocr_moe.generation.layouts import setting
from ocr_moe.generation.layouts.cards import Card, copied, fill_page, lay
from ocr_moe.generation.lexicons import passports
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import pictures
from ocr_moe.generation.sheet import Colour, Pen, Sheet

SCHEMA = "passport"
RATIO = 88 / 125
"""Height over width of a booklet's page."""
_BLACK: Colour = (22, 22, 28)
_TINTS: tuple[tuple[Colour, Colour], ...] = (
    ((236, 240, 238), (170, 195, 200)),
    ((244, 238, 232), (215, 185, 170)),
    ((238, 236, 246), (185, 180, 215)),
    ((240, 244, 234), (185, 205, 165)),
)
_INKS: tuple[Colour, ...] = ((60, 80, 120), (90, 60, 60), (50, 90, 80), (70, 70, 78))
_SEXES = {"F": "女/F", "M": "男/M", "X": "X"}


def _of(chinese: bool) -> Callable[[Passport], bool]:
    return lambda facts: (facts.state == "CHN") is chinese


def date_as(months: str, iso: str) -> str:
    """A date as the passports of a state print it."""
    year, month, day = (int(part) for part in iso.split("-"))
    english = MONTHS[month - 1][:3].upper()
    return {
        "zh": f"{day:02d} {passports().months['zh'][month - 1]}/{english} {year}",
        "en": f"{day:02d} {english.capitalize() if day % 2 else english} {year}",
        "fr": f"{day:02d} {month:02d} {year}",
        "en_fr": f"{day:02d} {english} /{passports().months['fr'][month - 1]} {year % 100:02d}",
        "dotted": f"{day:02d}.{month:02d}.{year}",
        "slashed": f"{day:02d}/{month:02d}/{year}",
        "spaced": f"{day:02d} {month:02d} {year}",
    }[months]


class _Page:
    """A data page with its pens and words, drawn once."""

    def __init__(self, card: Card, facts: Passport) -> None:
        rng, book = card.sheet.rng, card.sheet.book
        self.card, self.facts = card, facts
        self.words = passports().labels[facts.labels]
        ink = rng.choice(_INKS)
        latin = facts.labels != "zh"
        face = rng.choice(book.of("sans", "serif") if latin else book.of("hei", "song"))
        self.label = card.pen(face, rng.uniform(0.015, 0.0175), ink)
        self.value = card.pen(
            rng.choice(book.of("sans", "mono") if latin else book.of("hei", "sans")),
            rng.uniform(0.026, 0.03),
            _BLACK,
        )
        self.value.bold = rng.random() < 0.4
        months = facts.months
        if months == "zh" and rng.random() < 0.4:
            months = "en"
        self.months = months

    def entry(
        self, x: float, y: float, key: str, text: str, field: str | None, right: float = 0.97
    ) -> None:
        """A label, and its value on the next line."""
        self.card.fitted(x, y, right, self.words[key], self.label)
        self.card.fitted(x, y + 0.037, right, text, self.value, field=field)

    def dated(
        self, x: float, y: float, key: str, iso: str, field: str, right: float = 0.97
    ) -> None:
        self.entry(x, y, key, date_as(self.months, iso), field, right)

    def authority(self, x: float, y: float, right: float = 0.97) -> None:
        """Who issued it, on two lines where it is in two languages."""
        self.card.fitted(x, y, right, self.words["authority"], self.label)
        parts = self.facts.authorities
        size = self.value.size if len(parts) == 1 else round(self.value.size * 0.62)
        pen = Pen(self.value.face, size, self.value.ink, bold=self.value.bold)
        first = y + (0.037 if len(parts) == 1 else 0.024)
        for n, part in enumerate(parts):
            self.card.fitted(x, first + n * 0.022, right, part, pen, field="authority")

    def sex(self) -> str:
        return _SEXES[self.facts.sex] if self.facts.labels == "zh" else self.facts.sex


def zone(card: Card, facts: Passport, top: float) -> None:
    """The machine-readable zone: two lines over the width of the page, the first one at `top`."""
    sheet = card.sheet
    face = sheet.rng.choice(sheet.book.of("mono"))
    first, second = facts.zone
    pen = Pen(face, 10, _BLACK)
    while sheet.measure("0" * 44, Pen(face, pen.size + 1, _BLACK)) < 0.9 * card.width:
        pen.size += 1
    left = (1 - sheet.measure("0" * 44, pen) / card.width) / 2
    pen.bold = sheet.rng.random() < 0.4
    for text, field, y in ((first, "names", top), (second, "zone", top + 0.052)):
        box = card.text(left, y, text, pen, field=field)
        told = "issuer" if field == "names" else "nationality"
        if sheet.box_of(told) is None:
            sheet.marks.append((told, box))


def data_page(card: Card, page: _Page, facts: Passport) -> None:
    """Portrait at the left, entries at its right in two columns, as ICAO Doc 9303 lays them."""
    rng, sheet = card.sheet.rng, card.sheet
    words = page.words
    title = Pen(page.label.face, round(0.032 * card.width), page.label.ink, 0.05)
    card.fitted(0.045, 0.07, 0.31, words["document"], title)
    wide = round(card.width * rng.uniform(0.24, 0.27))
    picture = pictures.portrait(rng, wide, round(wide * 1.29), "女" if facts.sex == "F" else "男")
    card.paste(picture, 0.045, 0.14)
    left, middle, right = 0.33, 0.57, 0.76
    y, step = 0.065, 0.073
    page.entry(left, y, "type", "P", None, middle - 0.07)
    page.entry(0.5, y, "code", facts.state.replace("<", ""), "issuer", right - 0.03)
    page.entry(right - 0.02, y, "number", facts.number, "number")
    y += step
    page.entry(left, y, "surname", facts.surname, "surname")
    y += step
    page.entry(left, y, "given", facts.given, "given names")
    y += step
    page.entry(left, y, "nationality", facts.nationality, "nationality", right - 0.05)
    page.dated(right - 0.04, y, "birth", facts.birth, "birth")
    y += step
    page.entry(left, y, "sex", page.sex(), "sex", middle - 0.08)
    page.entry(middle - 0.05, y, "birthplace", facts.birthplace, "place of birth")
    y += step
    page.dated(left, y, "issued", facts.issued, "issued", middle)
    page.authority(middle + 0.02, y)
    y += step
    page.dated(left, y, "expiry", facts.expiry, "expiry", middle)
    card.fitted(middle + 0.02, y, 0.97, words["signature"], page.label)
    scrawl = pictures.signature(rng, round(card.width * 0.16), round(card.width * 0.04))
    sheet.stamp(scrawl, *card.at(middle + 0.15, y + 0.03))
    zone(card, facts, RATIO - 0.085)


def chinese_page(card: Card, page: _Page, facts: Passport) -> None:
    """The data page of a Chinese passport: the name in characters and in letters under one label."""
    rng, words = card.sheet.rng, page.words
    title = Pen(page.label.face, round(0.036 * card.width), page.label.ink, 0.1)
    card.text(0.05, 0.06, "中华人民共和国", title)
    card.text(0.05, 0.1, words["document"], Pen(title.face, round(title.size * 0.7), title.ink))
    wide = round(card.width * rng.uniform(0.24, 0.26))
    picture = pictures.portrait(rng, wide, round(wide * 1.29), "女" if facts.sex == "F" else "男")
    card.paste(picture, 0.045, 0.15)
    left, right = 0.34, rng.uniform(0.65, 0.7)
    y, step = 0.065, 0.078
    page.entry(left, y, "type", "P", None, 0.45)
    page.entry(0.48, y, "code", "CHN", "issuer", 0.65)
    page.entry(0.72, y, "number", facts.number, "number")
    y += step
    if rng.random() < 0.6:
        page.entry(left, y, "name", facts.characters, "name in characters")
        y += 0.037
        box = card.text(left, y + 0.035, f"{facts.surname}", page.value, field="surname")
        box = card.text((box[2] - card.left) / card.width, y + 0.035, ", ", page.value)
        x = (box[2] - card.left) / card.width + 0.012
        card.text(x, y + 0.035, facts.given, page.value, field="given names")
        y += step * 0.95
    else:
        page.entry(left, y, "surname", facts.surname, "surname", right - 0.02)
        page.entry(right, y, "given", facts.given, "given names")
        y += step
    page.entry(left, y, "sex", page.sex(), "sex", 0.46)
    page.entry(0.47, y, "nationality", facts.nationality, "nationality", right - 0.01)
    page.dated(right + 0.01, y, "birth", facts.birth, "birth")
    y += step
    page.entry(left, y, "birthplace", facts.birthplace, "place of birth", right - 0.01)
    page.dated(right + 0.01, y, "issued", facts.issued, "issued")
    y += step
    page.authority(left, y, right)
    page.dated(right + 0.01, y, "expiry", facts.expiry, "expiry")
    y += step
    card.fitted(left, y, 0.7, words["signature"], page.label)
    zone(card, facts, RATIO - 0.085)


def _draw(card: Card, facts: Passport) -> None:
    page = _Page(card, facts)
    if facts.state == "CHN":
        chinese_page(card, page, facts)
    else:
        data_page(card, page, facts)


@setting("passport_data", Passport, schema=SCHEMA, ratio=(0.7, 0.74), suits=_of(False), weight=1.5)
def alone(sheet: Sheet, facts: Passport, look: Look) -> None:
    """The data page, cut out of its scan."""
    tint, pattern = sheet.rng.choice(_TINTS)
    strength = sheet.rng.uniform(0.1, 0.35)
    _draw(fill_page(sheet, tint=tint, pattern=pattern, strength=strength, ratio=RATIO), facts)


@setting(
    "passport_chinese", Passport, schema=SCHEMA, ratio=(0.7, 0.74), suits=_of(True), weight=1.5
)
def chinese(sheet: Sheet, facts: Passport, look: Look) -> None:
    """The data page of a Chinese passport, cut out of its scan."""
    strength = sheet.rng.uniform(0.1, 0.35)
    card = fill_page(
        sheet, tint=(240, 236, 230), pattern=(205, 185, 190), strength=strength, ratio=RATIO
    )
    _draw(card, facts)


@setting("passport_spread", Passport, schema=SCHEMA, ratio=(1.36, 1.44), weight=1.0)
def spread(sheet: Sheet, facts: Passport, look: Look) -> None:
    """The booklet laid open: the page with the bearer's signature above, the data page below."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    tint, pattern = rng.choice(_TINTS)
    width = min(w * 0.96, h / 2 / RATIO * 0.97)
    left, top = (w - width) / 2, (h - 2 * width * RATIO) / 2
    upper = lay(sheet, left, top, width, strength=0.2, ratio=RATIO, tint=tint, pattern=pattern)
    words = passports().labels[facts.labels]
    pen = upper.pen(rng.choice(sheet.book.of("song", "hei")), 0.017, rng.choice(_INKS))
    request = (
        "The authorities are requested to allow the bearer of this passport to pass freely",
        "without hindrance, and to afford the bearer assistance and protection as necessary.",
    )
    for n, text in enumerate(request):
        upper.text(0.5, 0.2 + 0.03 * n, text, pen, align="m")
    upper.text(0.15, 0.5, words["signature"], pen)
    scrawl = pictures.signature(rng, round(width * 0.25), round(width * 0.07))
    upper.stamp(scrawl, 0.35, 0.57)
    lower = lay(
        sheet,
        left,
        top + width * RATIO,
        width,
        strength=0.25,
        ratio=RATIO,
        tint=tint,
        pattern=pattern,
    )
    _draw(lower, facts)


@setting("passport_copy", Passport, schema=SCHEMA, ratio=(1.36, 1.44), weight=1.0)
def copy(sheet: Sheet, facts: Passport, look: Look) -> None:
    """The data page as large as it is, or larger, on a copy."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    width = w * rng.uniform(0.62, 0.9)
    left, top = (w - width) * rng.uniform(0.2, 0.8), h * rng.uniform(0.06, 0.3)
    tint, pattern = rng.choice(_TINTS)
    card = lay(sheet, left, top, width, ratio=RATIO, tint=tint, pattern=pattern, strength=0.2)
    _draw(card, facts)
    copied(sheet, look)


@setting(
    "heldout_passport_beside",
    Passport,
    schema=SCHEMA,
    ratio=(0.7, 0.75),
    heldout=True,
)
def beside(sheet: Sheet, facts: Passport, look: Look) -> None:
    """Labels at the left of their values, one under the other; the portrait at the right."""
    rng = sheet.rng
    tint, pattern = rng.choice(_TINTS)
    card = fill_page(sheet, tint=tint, pattern=pattern, strength=0.2, ratio=RATIO)
    page = _Page(card, facts)
    title = Pen(page.label.face, round(0.03 * card.width), page.label.ink, 0.08)
    card.text(0.05, 0.06, page.words["document"], title)
    wide = round(card.width * 0.22)
    sex = "女" if facts.sex == "F" else "男"
    card.paste(pictures.portrait(rng, wide, round(wide * 1.29), sex), 0.74, 0.09)
    rows: list[tuple[str, str, str | None]] = [
        ("number", facts.number, "number"),
        ("surname", facts.surname, "surname"),
        ("given", facts.given, "given names"),
        ("nationality", facts.nationality, "nationality"),
        ("birth", date_as(page.months, facts.birth), "birth"),
        ("sex", page.sex(), "sex"),
        ("birthplace", facts.birthplace, "place of birth"),
        ("issued", date_as(page.months, facts.issued), "issued"),
        ("expiry", date_as(page.months, facts.expiry), "expiry"),
        ("authority", " ".join(facts.authorities), "authority"),
    ]
    y, step = 0.12, 0.047
    column = 0.36 if facts.labels in ("de", "us", "pl") else 0.32
    for key, text, field in rows:
        card.fitted(0.05, y, column - 0.01, page.words[key], page.label)
        card.fitted(column, y, 0.72, text, page.value, field=field)
        y += step
    zone(card, facts, RATIO - 0.085)


@setting(
    "heldout_passport_page",
    Passport,
    schema=SCHEMA,
    ratio=(1.38, 1.43),
    heldout=True,
)
def page(sheet: Sheet, facts: Passport, look: Look) -> None:
    """The data page in a visa application, under its heading, grey, the booklet's edge around it."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    text = rng.choice(("Copy of passport / 护照复印件", "附件：护照资料页", "Passport copy"))
    sheet.text(w * 0.1, h * 0.07, text, look.body(w * 0.026))
    width = w * rng.uniform(0.7, 0.8)
    left, top = w * 0.1, h * rng.uniform(0.12, 0.3)
    card = lay(
        sheet,
        left,
        top,
        width,
        ratio=RATIO,
        tint=(238, 238, 238),
        pattern=(190, 190, 190),
        strength=0.25,
    )
    _draw(card, facts)
    sheet.image.paste(sheet.image.convert("L").convert("RGB"))
    small = look.body(w * 0.018)
    sheet.text(w * 0.1, h * 0.86, "Applicant's signature 申请人签名：", small)
    sheet.text(w * 0.6, h * 0.86, "Date 日期：", small)

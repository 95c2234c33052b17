"""Resident identity cards: both sides on a copy, one side alone, and earlier editions.

The layouts `heldout_…` check what was tuned on the others.
"""

from __future__ import annotations

from collections.abc import Callable

from ocr_moe.generation.documents.identitycards import UNLIMITED, Edition, IdentityCard
from ocr_moe.generation.layouts import setting
from ocr_moe.generation.layouts.cards import RATIO, Card, copied, fill_page, lay
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import paper, pictures, seals
from ocr_moe.generation.sheet import Colour, Pen, Sheet

SCHEMA = "resident_identity_card"
BLUES: tuple[Colour, ...] = ((40, 110, 170), (30, 95, 160), (60, 120, 165), (50, 100, 140))
_BLACK: Colour = (22, 22, 26)
_RED: Colour = (170, 40, 40)
_SIDES: dict[str, tuple[Colour, Colour]] = {
    "front": ((230, 240, 242), (150, 190, 205)),
    "back": ((243, 236, 230), (220, 180, 175)),
    "permit": ((234, 240, 232), (160, 195, 165)),
    "first": ((240, 246, 238), (165, 205, 175)),
}
"""Tint and lines of the sides."""


def _of(*editions: Edition) -> Callable[[IdentityCard], bool]:
    return lambda facts: facts.edition in editions


def _spaced(label: str, wide: bool) -> str:
    return " ".join(label) if wide else label


def front(card: Card, facts: IdentityCard, look: Look) -> None:
    """The side with the portrait."""
    rng, book, holder = card.sheet.rng, card.sheet.book, facts.holder
    label = card.pen(rng.choice(book.of("hei")), rng.uniform(0.033, 0.037), rng.choice(BLUES))
    value = card.pen(rng.choice(book.of("hei", "song")), rng.uniform(0.04, 0.046), _BLACK)
    x, column = rng.uniform(0.065, 0.075), rng.uniform(0.17, 0.185)
    y, step, wide = rng.uniform(0.1, 0.115), rng.uniform(0.074, 0.08), rng.random() < 0.6
    card.text(x, y, _spaced("姓名", wide), label)
    card.fitted(column, y, 0.63, holder.name, value, field="姓名")
    card.text(x, y + step, _spaced("性别", wide), label)
    card.text(column, y + step, holder.sex, value, field="性别")
    if facts.edition != "permit":
        card.text(column + 0.1, y + step, _spaced("民族", wide), label)
        card.text(column + 0.2, y + step, holder.ethnicity, value, field="民族")
    card.text(x, y + 2 * step, _spaced("出生", wide), label)
    _birth(card, facts, column, y + 2 * step, label, value)
    card.text(x, y + 3 * step, _spaced("住址", wide), label)
    address = card.pen(value.face, rng.uniform(0.036, 0.041), _BLACK)
    leading = rng.uniform(0.05, 0.056)
    card.flow(column, y + 3 * step, 0.6, holder.address, address, field="住址", leading=leading)
    card.text(x, 0.565, "公民身份号码", label)
    _number(card, facts, rng.uniform(0.33, 0.36), 0.565)
    width = round(card.width * 0.29)
    card.paste(pictures.portrait(rng, width, round(width * 1.26), holder.sex), 0.655, 0.09)


def _birth(card: Card, facts: IdentityCard, x: float, y: float, label: Pen, value: Pen) -> None:
    """The numbers in black between 年, 月 and 日 of the form."""
    year, month, day = (int(part) for part in facts.holder.birth.split("-"))
    gap = card.sheet.rng.uniform(0.01, 0.02)
    for number, unit in ((year, "年"), (month, "月"), (day, "日")):
        box = card.text(x, y, str(number), value, field="出生日期")
        x = (box[2] - card.left) / card.width + gap
        box = card.text(x, y, unit, label)
        x = (box[2] - card.left) / card.width + gap


def _number(card: Card, facts: IdentityCard, x: float, y: float) -> None:
    rng = card.sheet.rng
    face = rng.choice(card.sheet.book.of("sans", "mono", "hei"))
    pen = card.pen(face, rng.uniform(0.042, 0.047), _BLACK, rng.uniform(0.02, 0.14))
    pen.bold = rng.random() < 0.3
    card.fitted(x, y, 0.96, facts.number, pen, field="公民身份号码")


def back(card: Card, facts: IdentityCard, look: Look) -> None:
    """The side with the emblem, who issued the card, and for how long."""
    rng, book = card.sheet.rng, card.sheet.book
    emblem = pictures.emblem(rng, round(card.width * 0.2), mono=rng.random() < 0.1)
    card.stamp(emblem, 0.16, 0.16)
    title = rng.choice(book.of("songbold", "song", "kai"))
    card.text(0.61, 0.14, "中华人民共和国", card.pen(title, 0.055, _BLACK, 0.12), align="m")
    name = "港澳台居民居住证" if facts.edition == "permit" else "居民身份证"
    spacing = 0.02 if facts.edition == "permit" else 0.12
    card.text(0.61, 0.255, name, card.pen(title, 0.085, _BLACK, spacing), align="m")
    face = rng.choice(book.of("hei"))
    label = card.pen(face, rng.uniform(0.035, 0.039), _BLACK)
    value = card.pen(rng.choice((face, *book.of("song"))), rng.uniform(0.036, 0.041), _BLACK)
    y = rng.uniform(0.45, 0.475)
    card.text(0.385, y, "签发机关", label, align="r")
    card.fitted(0.42, y, 0.95, facts.authority, value, field="签发机关")
    card.text(0.385, y + 0.085, "有效期限", label, align="r")
    _period(card, facts, 0.42, y + 0.085, value)
    if facts.edition == "permit":
        small = card.pen(face, 0.031, _BLACK)
        card.text(0.1, 0.36, f"通行证号码  {facts.pass_number}", small)
        card.text(0.62, 0.36, f"签发次数  {rng.randint(1, 3):02d}", small)


def _period(card: Card, facts: IdentityCard, x: float, y: float, pen: Pen) -> None:
    box = card.text(x, y, facts.issued.replace("-", "."), pen, field="有效期起")
    x = (box[2] - card.left) / card.width + 0.004
    box = card.text(x, y, "-", pen)
    x = (box[2] - card.left) / card.width + 0.004
    card.text(x, y, facts.until.replace("-", "."), pen, field="有效期止")


def _side(sheet: Sheet, side: str, left: float, top: float, width: float) -> Card:
    tint, pattern = _SIDES[side]
    strength = sheet.rng.uniform(0.1, 0.35)
    return lay(sheet, left, top, width, tint=tint, pattern=pattern, strength=strength)


def _both(
    sheet: Sheet, facts: IdentityCard, look: Look, *places: tuple[float, float, float]
) -> None:
    """The two sides at their places, each left, top and width."""
    first = "permit" if facts.edition == "permit" else "front"
    second = "permit" if facts.edition == "permit" else "back"
    front(_side(sheet, first, *places[0]), facts, look)
    back(_side(sheet, second, *places[1]), facts, look)


@setting(
    "identity_front",
    IdentityCard,
    schema=SCHEMA,
    ratio=(0.62, 0.66),
    suits=_of("second"),
    weight=1.2,
)
def front_alone(sheet: Sheet, facts: IdentityCard, look: Look) -> None:
    """The front, cut out of its photograph."""
    tint, pattern = _SIDES["front"]
    card = fill_page(sheet, tint=tint, pattern=pattern, strength=sheet.rng.uniform(0.1, 0.4))
    front(card, facts, look)


@setting(
    "identity_back",
    IdentityCard,
    schema=SCHEMA,
    ratio=(0.62, 0.66),
    suits=_of("second"),
    weight=0.6,
)
def back_alone(sheet: Sheet, facts: IdentityCard, look: Look) -> None:
    """The back, cut out of its photograph."""
    tint, pattern = _SIDES["back"]
    card = fill_page(sheet, tint=tint, pattern=pattern, strength=sheet.rng.uniform(0.1, 0.4))
    back(card, facts, look)


@setting(
    "identity_copy",
    IdentityCard,
    schema=SCHEMA,
    ratio=(1.38, 1.43),
    suits=_of("second"),
    weight=2.0,
)
def copy(sheet: Sheet, facts: IdentityCard, look: Look) -> None:
    """Both sides one below the other on a copy of a page, somewhat enlarged or as large as they are."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    width = w * rng.uniform(0.42, 0.66)
    left, top = w * rng.uniform(0.1, 0.9) - width * rng.random(), h * rng.uniform(0.06, 0.16)
    left = min(max(left, 0.05 * w), 0.95 * w - width)
    below = top + width * RATIO + h * rng.uniform(0.03, 0.12)
    places = [(left, top, width), (left + w * rng.uniform(-0.02, 0.02), below, width)]
    if rng.random() < 0.25:
        places = [(places[0][0], below, width), (left, top, width)]
    _both(sheet, facts, look, *places)
    copied(sheet, look)


@setting(
    "identity_pair", IdentityCard, schema=SCHEMA, ratio=(1.3, 1.36), suits=_of("second"), weight=1.2
)
def pair(sheet: Sheet, facts: IdentityCard, look: Look) -> None:
    """Both sides one below the other, and nothing around them."""
    w, h = sheet.width, sheet.height
    width = w * sheet.rng.uniform(0.93, 0.98)
    left, gap = (w - width) / 2, (h - 2 * width * RATIO) / 3
    _both(sheet, facts, look, (left, gap, width), (left, 2 * gap + width * RATIO, width))


@setting(
    "identity_beside",
    IdentityCard,
    schema=SCHEMA,
    ratio=(0.36, 0.6),
    suits=_of("second"),
    weight=0.8,
)
def beside(sheet: Sheet, facts: IdentityCard, look: Look) -> None:
    """Both sides next to each other."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    width = w * rng.uniform(0.45, 0.475)
    gap = (w - 2 * width) / 3
    top = (h - width * RATIO) * rng.uniform(0.3, 0.5)
    places = [(gap, top, width), (2 * gap + width, top, width)]
    _both(sheet, facts, look, *(places if rng.random() < 0.6 else places[::-1]))


@setting(
    "identity_first",
    IdentityCard,
    schema=SCHEMA,
    ratio=(0.66, 0.72),
    suits=_of("first"),
    weight=0.8,
)
def first(sheet: Sheet, facts: IdentityCard, look: Look) -> None:
    """The laminated card of before 2004: all entries on one side, under the seal of who issued it."""
    rng, book, holder = sheet.rng, sheet.book, facts.holder
    tint, pattern = _SIDES["first"]
    strength = rng.uniform(0.1, 0.3)
    card = fill_page(sheet, tint=tint, pattern=pattern, strength=strength, ratio=0.68)
    label = card.pen(rng.choice(book.of("hei", "song")), 0.034, (60, 60, 64))
    value = card.pen(rng.choice(book.of("song", "kai")), rng.uniform(0.04, 0.044), _BLACK)
    x, column, step = 0.06, 0.17, 0.08
    y = rng.uniform(0.11, 0.125)
    card.text(x, y, "姓 名", label)
    card.fitted(column, y, 0.62, holder.name, value, field="姓名")
    card.text(x, y + step, "性 别", label)
    card.text(column, y + step, holder.sex, value, field="性别")
    card.text(0.27, y + step, "民 族", label)
    card.text(0.37, y + step, holder.ethnicity, value, field="民族")
    card.text(x, y + 2 * step, "出 生", label)
    _birth(card, facts, column, y + 2 * step, label, value)
    card.text(x, y + 3 * step, "住 址", label)
    card.flow(column, y + 3 * step, 0.62, holder.address, value, field="住址", leading=0.055)
    year, month, day = (int(part) for part in facts.issued.split("-"))
    until = facts.until if facts.until == UNLIMITED else f"{int(facts.until[:4]) - year} 年"
    issued = f"{year} 年 {month} 月 {day} 日"
    box = card.text(x, 0.53, issued, value, field="有效期起")
    card.text((box[2] - card.left) / card.width + 0.02, 0.53, "签发", label)
    box = card.text(0.56, 0.53, "有效期限", label)
    field = "有效期止" if until == UNLIMITED else None
    card.text((box[2] - card.left) / card.width + 0.02, 0.53, until, value, field=field)
    card.text(x, 0.63, "编号", label)
    _number(card, facts, 0.2, 0.63)
    width = round(card.width * 0.26)
    card.paste(pictures.portrait(rng, width, round(width * 1.3), holder.sex), 0.68, 0.07)
    seal = seals.round_seal(book, look.title_face, rng, facts.authority, round(card.width * 0.2))
    card.stamp(seal, 0.55, 0.45)


@setting(
    "heldout_identity_temporary",
    IdentityCard,
    schema=SCHEMA,
    ratio=(0.62, 0.66),
    suits=_of("temporary"),
    heldout=True,
)
def temporary(sheet: Sheet, facts: IdentityCard, look: Look) -> None:
    """临时居民身份证: a card of paper with everything on one side, the portrait at the left."""
    rng, book, holder = sheet.rng, sheet.book, facts.holder
    card = fill_page(sheet, tint=(246, 246, 238), pattern=(190, 200, 180), strength=0.2)
    label = card.pen(rng.choice(book.of("song", "hei")), 0.032, (90, 60, 50))
    value = card.pen(rng.choice(book.of("kai", "song", "hei")), rng.uniform(0.036, 0.04), _BLACK)
    title = card.pen(rng.choice(book.of("songbold", "heibold")), 0.042, _RED, 0.06)
    card.text(0.5, 0.085, "中华人民共和国临时居民身份证", title, align="m")
    width = round(card.width * 0.24)
    card.paste(pictures.portrait(rng, width, round(width * 1.3), holder.sex), 0.05, 0.12)
    x, column, step, y = 0.33, 0.43, 0.068, 0.16
    card.text(x, y, "姓名", label)
    card.fitted(column, y, 0.95, holder.name, value, field="姓名")
    card.text(x, y + step, "性别", label)
    card.text(column, y + step, holder.sex, value, field="性别")
    card.text(0.55, y + step, "民族", label)
    card.text(0.65, y + step, holder.ethnicity, value, field="民族")
    card.text(x, y + 2 * step, "出生", label)
    _birth(card, facts, column, y + 2 * step, label, value)
    card.text(x, y + 3 * step, "住址", label)
    card.flow(column, y + 3 * step, 0.95, holder.address, value, field="住址", leading=0.05)
    low = y + 4.75 * step
    card.text(0.05, low, "公民身份号码", label)
    _number(card, facts, 0.3, low)
    card.text(0.05, low + 0.052, "签发机关", label)
    card.fitted(0.21, low + 0.052, 0.56, facts.authority, value, field="签发机关")
    card.text(0.05, low + 0.1, "有效期限", label)
    _period(card, facts, 0.21, low + 0.1, value)


@setting(
    "heldout_identity_permit",
    IdentityCard,
    schema=SCHEMA,
    ratio=(1.3, 1.43),
    suits=_of("permit"),
    heldout=True,
)
def permit(sheet: Sheet, facts: IdentityCard, look: Look) -> None:
    """The residence permit of people from Hong Kong, Macau and Taiwan: both sides on a copy."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    width = w * rng.uniform(0.6, 0.85)
    left, top = (w - width) * rng.uniform(0.3, 0.7), h * 0.05
    places = [(left, top + width * RATIO + h * 0.03, width), (left, top, width)]
    _both(sheet, facts, look, *places)


@setting(
    "heldout_identity_form",
    IdentityCard,
    schema=SCHEMA,
    ratio=(1.38, 1.43),
    suits=_of("second"),
    heldout=True,
    weight=2.0,
)
def form(sheet: Sheet, facts: IdentityCard, look: Look) -> None:
    """Both sides in the boxes of a form for them, with a title and words around."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    title = rng.choice(
        ("身份证复印件粘贴页", "申请人身份证明材料", "附件三：居民身份证正反面复印件")
    )
    sheet.text(w / 2, h * 0.07, title, look.body(w * 0.032), align="m")
    small = look.body(w * 0.018)
    y = h * 0.13
    captions = rng.choice(
        (("人像面", "国徽面"), ("身份证正面粘贴处", "身份证反面粘贴处"), ("正面", "背面"))
    )
    width = w * rng.uniform(0.5, 0.6)
    places = []
    for caption in captions:
        tall = width * RATIO + h * 0.05
        sheet.draw.rectangle(
            (w * 0.1, y, w * 0.9, y + tall + h * 0.035), outline=(60, 60, 60), width=2
        )
        sheet.text(w * 0.12, y + h * 0.025, f"（{caption}）", small)
        places.append(((w - width) / 2, y + h * 0.04, width))
        y += tall + h * 0.05
    _both(sheet, facts, look, *places)
    pledge = "本人承诺以上证件真实有效，如有虚假，愿承担相应法律责任。"
    sheet.text(w * 0.1, y + h * 0.03, pledge, small)
    sheet.text(w * 0.1, y + h * 0.07, "申请人（签字）：", small)
    scrawl = pictures.signature(rng, round(w * 0.12), round(w * 0.05))
    sheet.stamp(scrawl, w * 0.34, y + h * 0.065)
    sheet.text(w * 0.6, y + h * 0.07, "日期：", small)
    if rng.random() < 0.5:
        sheet.image.paste(sheet.image.convert("L").convert("RGB"))
    if rng.random() < 0.4:
        words = rng.choice(("仅供入学报名使用", "复印无效", "仅供本次审核"))
        ink = paper.watermark(rng, sheet.image, words, look.title_face, (150, 150, 160), 0.3)
        sheet.image.paste(ink)

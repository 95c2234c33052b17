"""Driving licences: the main page, the page that goes with it, and the electronic licence.

The layouts `heldout_…` check what was tuned on the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ocr_moe.generation.dates import DateStyle
from ocr_moe.generation.documents.drivers import UNLIMITED, DrivingLicence, Era
from ocr_moe.generation.layouts import setting
from ocr_moe.generation.layouts.cards import Card, copied, fill_page, lay
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import pictures, seals
from ocr_moe.generation.sheet import Colour, Pen, Sheet, TextRun

SCHEMA = "driving_license"
RATIO = 60 / 88
"""Height over width of a page of the licence."""
_BLACK: Colour = (20, 20, 24)
_TINT: Colour = (240, 246, 238)
_LINES: Colour = (175, 205, 190)
_LABELS: tuple[Colour, ...] = ((40, 90, 160), (60, 60, 66), (50, 80, 120), (90, 70, 60))
_ENGLISH = {
    "证号": "License No.",
    "姓名": "Name",
    "性别": "Sex",
    "国籍": "Nationality",
    "住址": "Address",
    "出生日期": "Date of Birth",
    "初次领证日期": "Date of First Issue",
    "准驾车型": "Class",
    "有效期限": "Valid Period",
    "有效起始日期": "Valid From",
    "档案编号": "File No.",
    "记录": "Record",
}


def _of(*eras: Era) -> Callable[[DrivingLicence], bool]:
    return lambda facts: facts.era in eras


class _Page:
    """A page with its pens, drawn once."""

    def __init__(self, card: Card, *, english: Mapping[str, str] = _ENGLISH) -> None:
        rng, book = card.sheet.rng, card.sheet.book
        self.card, self.english = card, english
        ink = rng.choice(_LABELS)
        self.label = card.pen(rng.choice(book.of("song", "hei")), rng.uniform(0.023, 0.027), ink)
        self.small = card.pen(rng.choice(book.of("serif", "sans")), rng.uniform(0.0145, 0.017), ink)
        face = rng.choice(book.of("hei", "song", "kai"))
        self.value = card.pen(face, rng.uniform(0.03, 0.035), _BLACK)
        digits = rng.choice((face, *book.of("mono", "sans")))
        self.digits = card.pen(digits, rng.uniform(0.03, 0.035), _BLACK, rng.choice((0, 0.04)))
        self.value.shift = self.digits.shift = rng.uniform(-0.25, 0.25)

    def word(self, x: float, y: float, text: str) -> None:
        """A label, in English under it where the page has that."""
        self.card.text(x, y, text, self.label)
        if text in self.english:
            self.card.text(x, y + 0.02, self.english[text], self.small)

    def fill(self, x: float, y: float, text: str, field: str, right: float = 0.97) -> None:
        """A value that was printed into the form."""
        pen = self.digits if text[:1].isascii() else self.value
        self.card.fitted(x, y, right, text, pen, field=field)


def main_page(card: Card, facts: DrivingLicence, page: _Page) -> None:
    """The page with the portrait."""
    rng, book, holder = card.sheet.rng, card.sheet.book, facts.holder
    title = card.pen(rng.choice(book.of("song", "songbold", "hei")), 0.042, _BLACK, 0.1)
    card.text(0.5, 0.07, "中华人民共和国机动车驾驶证", title, align="m")
    if page.english:
        name = "Driving License of the People's Republic of China"
        card.text(0.5, 0.1, name, card.pen(page.small.face, 0.022, _BLACK), align="m")
    x, y = rng.uniform(0.05, 0.065), 0.165
    page.word(x, y, "证号")
    number = Pen(page.digits.face, round(page.digits.size * 1.12), _BLACK, 0.1, page.digits.shift)
    number.bold = rng.random() < 0.5
    card.text(rng.uniform(0.2, 0.26), y, holder.number, number, field="证号")
    step = rng.uniform(0.064, 0.068)
    y += step
    page.word(x, y, "姓名")
    page.fill(0.16, y, holder.name, "姓名", 0.46)
    page.word(0.47, y, "性别")
    page.fill(0.55, y, holder.sex, "性别")
    page.word(0.65, y, "国籍")
    page.fill(0.76, y, "中国", "国籍")
    y += step
    page.word(x, y, "住址")
    card.flow(0.16, y, 0.95, holder.address, page.value, field="住址", leading=0.044)
    y += 1.6 * step
    middle, column = rng.uniform(0.3, 0.32), rng.uniform(0.47, 0.52)
    for label, value, field in (
        ("出生日期", holder.birth, "出生日期"),
        ("初次领证日期", facts.first_issued, "初次领证日期"),
        ("准驾车型", facts.classes, "准驾车型"),
    ):
        page.word(middle, y, label)
        page.fill(column, y, value, field, 0.73)
        y += step
    seal = seals.block_seal(
        book, rng.choice(book.of("song")), rng, _rows(facts), round(card.width * 0.16)
    )
    card.stamp(seal, 0.17, y - 1.8 * step)
    wide = round(card.width * rng.uniform(0.18, 0.2))
    picture = pictures.portrait(rng, wide, round(wide * 1.3), holder.sex)
    card.paste(picture, 0.76, y - 3.3 * step)
    if facts.era == "middle":
        page.word(x, y, "有效起始日期")
        page.fill(0.24, y, facts.valid_from, "有效期起", 0.52)
        page.word(0.54, y, "有效期限")
        page.fill(0.67, y, rng.choice((f"{facts.years}年", f"{facts.years} 年")), "有效年限")
        return
    page.word(x, y, "有效期限")
    _period(card, facts, rng.uniform(0.2, 0.24), y, page)


def _period(card: Card, facts: DrivingLicence, x: float, y: float, page: _Page) -> None:
    """From a day to another, or 长期."""
    gap = card.sheet.rng.choice((0.005, 0.02))
    box = card.text(x, y, facts.valid_from, page.digits, field="有效期起")
    box = card.text((box[2] - card.left) / card.width + gap, y, "至", page.value)
    pen = page.value if facts.valid_until == UNLIMITED else page.digits
    place = (box[2] - card.left) / card.width + gap
    card.text(place, y, facts.valid_until, pen, field="有效期止")


def _rows(facts: DrivingLicence) -> list[str]:
    """The words of the seal, in lines that fill a square."""
    text = facts.owner
    count = 4 if len(text) > 12 else 3
    length = -(-len(text) // count)
    return [text[start : start + length] for start in range(0, len(text), length)]


def second_page(card: Card, facts: DrivingLicence, page: _Page) -> None:
    """副页: number and name again, the number of the file, and what was recorded."""
    rng, book, holder = card.sheet.rng, card.sheet.book, facts.holder
    title = card.pen(rng.choice(book.of("song", "songbold", "hei")), 0.04, _BLACK, 0.08)
    card.text(0.5, 0.08, "中华人民共和国机动车驾驶证副页", title, align="m")
    x, y, step = 0.06, 0.17, 0.085
    page.word(x, y, "证号")
    page.fill(0.18, y, holder.number, "证号")
    page.word(x, y + step, "姓名")
    page.fill(0.18, y + step, holder.name, "姓名", 0.47)
    page.word(0.48, y + step, "档案编号")
    page.fill(0.62, y + step, facts.file_number, "档案编号")
    page.word(x, y + 2 * step, "记录")
    small = Pen(page.value.face, round(page.value.size * 0.86), _BLACK)
    box = (*card.at(0.18, y + 2 * step), card.at(0.93, 0)[0])
    card.sheet.flow(
        box, [(TextRun(facts.record, "记录"), small)], leading=small.size * 1.4, justify=False
    )
    card.paste(
        pictures.bar_code(rng, round(card.width * 0.4), round(card.width * 0.05)), 0.3, RATIO - 0.1
    )


def _laid(sheet: Sheet, left: float, top: float, width: float) -> Card:
    strength = sheet.rng.uniform(0.08, 0.3)
    return lay(sheet, left, top, width, ratio=RATIO, tint=_TINT, pattern=_LINES, strength=strength)


@setting(
    "driving_main",
    DrivingLicence,
    schema=SCHEMA,
    ratio=(0.67, 0.71),
    suits=_of("modern", "middle"),
    weight=2.0,
)
def main_alone(sheet: Sheet, facts: DrivingLicence, look: Look) -> None:
    """The main page, cut out of its scan."""
    strength = sheet.rng.uniform(0.08, 0.3)
    card = fill_page(sheet, tint=_TINT, pattern=_LINES, strength=strength, ratio=RATIO)
    main_page(card, facts, _Page(card))


@setting(
    "driving_opened",
    DrivingLicence,
    schema=SCHEMA,
    ratio=(0.36, 0.42),
    suits=_of("modern", "middle"),
    weight=1.2,
)
def opened(sheet: Sheet, facts: DrivingLicence, look: Look) -> None:
    """Both pages side by side."""
    w, h = sheet.width, sheet.height
    width = w * sheet.rng.uniform(0.475, 0.49)
    top, gap = (h - width * RATIO) / 2, (w - 2 * width) / 3
    card = _laid(sheet, gap, top, width)
    main_page(card, facts, _Page(card))
    card = _laid(sheet, 2 * gap + width, top, width)
    second_page(card, facts, _Page(card))


@setting(
    "driving_stacked",
    DrivingLicence,
    schema=SCHEMA,
    ratio=(1.36, 1.44),
    suits=_of("modern", "middle"),
    weight=1.5,
)
def stacked(sheet: Sheet, facts: DrivingLicence, look: Look) -> None:
    """Both pages one below the other."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    width = w * rng.uniform(0.62, 0.95)
    left = (w - width) * rng.uniform(0.2, 0.8)
    gap = (h - 2 * width * RATIO) / 3
    card = _laid(sheet, left, gap * rng.uniform(0.5, 1), width)
    main_page(card, facts, _Page(card))
    card = _laid(sheet, left, 2 * gap + width * RATIO, width)
    second_page(card, facts, _Page(card))
    copied(sheet, look)


@setting(
    "driving_second",
    DrivingLicence,
    schema=SCHEMA,
    ratio=(0.67, 0.71),
    suits=_of("modern", "middle"),
    weight=0.6,
)
def second_alone(sheet: Sheet, facts: DrivingLicence, look: Look) -> None:
    """The page that goes with the licence, by itself."""
    strength = sheet.rng.uniform(0.08, 0.3)
    card = fill_page(sheet, tint=_TINT, pattern=_LINES, strength=strength, ratio=RATIO)
    second_page(card, facts, _Page(card))
    number = sheet.box_of("证号")
    if number is not None:
        sheet.marks.append(("出生日期", number))  # which it says


@setting("driving_old", DrivingLicence, schema=SCHEMA, ratio=(0.68, 0.74), suits=_of("old"))
def old(sheet: Sheet, facts: DrivingLicence, look: Look) -> None:
    """Of before 2004: no English, dates with 年, 月 and 日, filled in off the lines."""
    rng, book, holder = sheet.rng, sheet.book, facts.holder
    card = fill_page(
        sheet, tint=(244, 246, 240), pattern=(190, 205, 190), strength=0.15, ratio=RATIO
    )
    page = _Page(card, english={})
    label = page.label
    title = card.pen(rng.choice(book.of("song", "kai")), 0.045, (60, 90, 70), 0.12)
    card.text(0.5, 0.08, "中华人民共和国机动车驾驶证", title, align="m")
    style = DateStyle("arabic", padded=rng.random() < 0.5)
    x, y, step = 0.06, 0.17, 0.067
    rows = (
        ("证号", holder.number, "证号"),
        ("姓名", holder.name, "姓名"),
        ("住址", holder.address, "住址"),
        ("出生日期", style.write(holder.birth), "出生日期"),
        ("准驾车型", facts.classes, "准驾车型"),
        ("初次领证日期", style.write(facts.first_issued), "初次领证日期"),
    )
    for name, text, field in rows:
        card.text(x, y, name, label)
        column = x + 0.1 if len(name) == 2 else x + 0.19
        if name == "住址":
            card.flow(column, y, 0.7, text, page.value, field=field, leading=0.042)
            y += 0.042
        else:
            page.fill(column, y, text, field, 0.46 if name == "姓名" else 0.72)
        if name == "姓名":
            card.text(0.47, y, "性别", label)
            page.fill(0.54, y, holder.sex, "性别")
        y += step
    card.text(x, y, "有效期限", label)
    box = card.text(x + 0.13, y, "自", label)
    for text, field, after in (
        (style.write(facts.valid_from), "有效期起", "至"),
        (style.write(facts.valid_until), "有效期止", "止"),
    ):
        box = card.text((box[2] - card.left) / card.width + 0.012, y, text, page.value, field=field)
        box = card.text((box[2] - card.left) / card.width + 0.012, y, after, label)
    wide = round(card.width * 0.19)
    card.paste(pictures.portrait(rng, wide, round(wide * 1.3), holder.sex), 0.76, 0.27)
    seal = seals.round_seal(book, look.title_face, rng, facts.owner, round(card.width * 0.18))
    card.stamp(seal, 0.74, 0.5)


@setting(
    "heldout_driving_screen",
    DrivingLicence,
    schema=SCHEMA,
    ratio=(1.7, 2.0),
    suits=_of("modern"),
    heldout=True,
)
def screen(sheet: Sheet, facts: DrivingLicence, look: Look) -> None:
    """The electronic licence on the screen of a telephone."""
    rng, book, w = sheet.rng, sheet.book, sheet.width
    sheet.image.paste((238, 242, 248), (0, 0, w, sheet.height))
    blue: Colour = rng.choice(((36, 104, 210), (20, 120, 190)))
    sheet.draw.rectangle((0, 0, w, round(w * 0.14)), fill=blue)
    face = rng.choice(book.of("hei"))
    sheet.text(
        w / 2, w * 0.09, "电子驾驶证", Pen(face, round(w * 0.045), (255, 255, 255)), align="m"
    )
    top, holder = w * 0.2, facts.holder
    sheet.draw.rounded_rectangle(
        (w * 0.05, top, w * 0.95, w * 1.62), round(w * 0.03), fill=(255, 255, 255)
    )
    title = Pen(rng.choice(book.of("heibold", "hei")), round(w * 0.04), _BLACK)
    sheet.text(w / 2, top + w * 0.08, "中华人民共和国机动车驾驶证", title, align="m")
    wide = round(w * 0.2)
    picture = pictures.portrait(rng, wide, round(wide * 1.3), holder.sex)
    sheet.image.paste(picture, (round(w * 0.7), round(top + w * 0.13)))
    label, value = Pen(face, round(w * 0.03), (120, 124, 132)), Pen(face, round(w * 0.033), _BLACK)
    y, step = top + w * 0.18, w * 0.085
    left, column = w * 0.1, w * rng.uniform(0.33, 0.36)
    rows: list[tuple[str, str, str | None]] = [
        ("姓名", holder.name, "姓名"),
        ("性别", holder.sex, "性别"),
        ("国籍", "中国", "国籍"),
        ("准驾车型", facts.classes, "准驾车型"),
        ("证号", holder.number, "证号"),
        ("出生日期", holder.birth, "出生日期"),
        ("初次领证日期", facts.first_issued, "初次领证日期"),
        ("住址", holder.address, "住址"),
        ("有效期限", "", None),
        ("档案编号", facts.file_number, "档案编号"),
        ("状态", "正常", None),
        ("累积记分", f"{rng.choice((0, 0, 3, 6))}分", None),
    ]
    for name, text, field in rows:
        sheet.text(left, y, name, label)
        if name == "有效期限":
            box = sheet.text(column, y, facts.valid_from, value, field="有效期起")
            box = sheet.text(box[2] + w * 0.01, y, "至", value)
            sheet.text(box[2] + w * 0.01, y, facts.valid_until, value, field="有效期止")
        elif name == "住址":
            box3 = (column, y, w * 0.9)
            y = sheet.flow(box3, [(TextRun(text, field), value)], leading=w * 0.045, justify=False)
        else:
            sheet.text(column, y, text, value, field=field)
        y += step
    day = f"2025-0{rng.randint(1, 9)}-1{rng.randint(0, 9)}"
    made = f"生成时间：{day} 1{rng.randint(0, 9)}:2{rng.randint(0, 9)}:35"
    sheet.text(w / 2, w * 1.57, made, Pen(face, round(w * 0.026), blue), align="m")


@setting(
    "heldout_driving_copy",
    DrivingLicence,
    schema=SCHEMA,
    ratio=(1.38, 1.43),
    suits=_of("modern", "middle"),
    heldout=True,
)
def copy(sheet: Sheet, facts: DrivingLicence, look: Look) -> None:
    """Both pages as large as they are on a grey copy, under a heading, the second one first or not."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    sheet.text(w / 2, h * 0.06, "驾驶证复印件", look.body(w * 0.03), align="m")
    width = w * rng.uniform(0.5, 0.6)
    tops = [h * 0.12, h * 0.12 + width * RATIO + h * rng.uniform(0.03, 0.1)]
    if rng.random() < 0.4:
        tops.reverse()
    left = w * rng.uniform(0.08, 0.32)
    for top, draw in zip(tops, (main_page, second_page), strict=True):
        card = _laid(sheet, left, top, width)
        draw(card, facts, _Page(card))
    sheet.image.paste(sheet.image.convert("L").convert("RGB"))
    small = look.body(w * 0.02)
    sheet.text(w * 0.1, h * 0.93, "复印件与原件一致，签字：", small)

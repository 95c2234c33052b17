"""Pages of the household register: 常住人口登记卡, alone, or with the first page of the booklet.

The layouts `heldout_…` check what was tuned on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from ocr_moe.generation.dates import DateStyle
from ocr_moe.generation.documents.households import HouseholdMember
from ocr_moe.generation.layouts import setting
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import seals
from ocr_moe.generation.sheet import Colour, Pen, Sheet, TextRun

SCHEMA = "household_register"
_INK: Colour = (34, 32, 32)
_RULES: tuple[Colour, ...] = ((60, 60, 60), (120, 90, 80), (70, 100, 80), (40, 40, 40))


class Entry(NamedTuple):
    """A box of the form: its label, in lines, and what is filled in."""

    label: str
    field: str
    text: str
    parts: int = 1
    """Halves of the form that it takes up."""


def entries_of(facts: HouseholdMember, dates: DateStyle, rng: Random) -> list[Entry]:
    """The entries of the card in their usual order, two to a row or one."""
    member = facts.member
    ethnicity = member.ethnicity + rng.choice(("族", "族", ""))
    number = rng.choice(("公民身份\n证件编号", "公民身份\n证件编号", "公民身份\n号码"))
    return [
        Entry("姓　名", "姓名", member.name),
        Entry("户主或与\n户主关系", "与户主关系", facts.relation),
        Entry("曾用名", "曾用名", facts.former_name),
        Entry("性　别", "性别", member.sex),
        Entry("出生地", "出生地", facts.birthplace),
        Entry("民　族", "民族", ethnicity),
        Entry("籍　贯", "籍贯", facts.native_place),
        Entry("出生日期", "出生日期", dates.write(member.birth)),
        Entry("本市（县）\n其他住址", "其他住址", facts.other_address),
        Entry("宗教信仰", "宗教信仰", facts.religion),
        Entry(number, "公民身份号码", member.number),
        Entry("身　高", "身高", facts.height),
        Entry("血　型", "血型", facts.blood),
        Entry("兵役状况", "兵役状况", facts.military),
        Entry("文化程度", "文化程度", facts.education),
        Entry("婚姻状况", "婚姻状况", facts.marriage),
        Entry("服务处所", "服务处所", facts.workplace),
        Entry("职　业", "职业", facts.occupation),
        Entry("何时由何地\n迁来本市（县）", "何时由何地迁来本市", facts.moved_to_city, 2),
        Entry("何时由何地\n迁来本址", "何时由何地迁来本址", facts.moved_here, 2),
    ]


class _Form:
    """The pens of one form."""

    def __init__(self, sheet: Sheet, look: Look, size: float) -> None:
        rng, book = sheet.rng, sheet.book
        self.sheet, self.size = sheet, size
        self.rule: Colour = rng.choice(_RULES)
        face = rng.choice(book.of("song", "hei"))
        self.label = Pen(face, round(size), rng.choice((self.rule, _INK)))
        fill = rng.choice((face, *book.of("song", "hei", "kai")))
        self.value = Pen(fill, round(size * rng.uniform(0.95, 1.1)), look.fill_ink)
        self.value.shift = rng.uniform(-0.2, 0.2)

    def words(
        self, x: float, y: float, tall: float, text: str, pen: Pen, field: str | None
    ) -> None:
        """Lines in the middle of a row that begins at `y`."""
        lines = text.split("\n")
        leading = pen.size * 1.2
        base = y + tall / 2 + pen.size * 0.36 - (len(lines) - 1) * leading / 2
        for line in lines:
            self.sheet.text(x, base, line, pen, field=field)
            base += leading

    def fill(self, left: float, y: float, right: float, tall: float, entry: Entry) -> None:
        """What stands in a box, on as many lines as it needs."""
        if not entry.text:
            return
        pen = self.value
        runs = [(TextRun(entry.text, entry.field), pen)]
        width = right - left
        lines = self.sheet.lines_of(width, runs)
        if lines > 1:
            pen = Pen(pen.face, round(pen.size * 0.85), pen.ink)
            runs = [(TextRun(entry.text, entry.field), pen)]
            lines = self.sheet.lines_of(width, runs)
        base = y + tall / 2 + pen.size * 0.36 - (lines - 1) * pen.size * 0.58
        box = (left, base, right)
        self.sheet.flow(box, runs, leading=pen.size * 1.16, justify=False)


def ruled(
    form: _Form,
    entries: Sequence[Entry],
    box: tuple[float, float, float],
    step: float,
    labels: tuple[float, float],
) -> float:
    """The entries in a ruled table, two to a row; returns its lower edge.

    `box`: left, top, right; `labels`: widths of the boxes of labels in the two halves.
    """
    sheet, pad = form.sheet, form.size * 0.4
    left, y, right = box
    middle = left + (right - left) * sheet.rng.uniform(0.54, 0.6)
    pen, ink, top = sheet.draw, form.rule, y
    half = 0
    for entry in entries:
        if not half:
            pen.line((left, y, right, y), ink, 2)
        start = middle if half else left
        label = labels[half]
        end = right if half or entry.parts == 2 else middle
        if half:
            pen.line((middle, y, middle, y + step), ink, 2)
        pen.line((start + label, y, start + label, y + step), ink, 2)
        form.words(start + pad, y, step, entry.label, form.label, None)
        form.fill(start + label + pad, y, end - pad, step, entry)
        half = 0 if half or entry.parts == 2 else 1
        if not half:
            y += step
    pen.rectangle((left, top, right, y), outline=ink, width=3)
    return y


def card(
    sheet: Sheet, look: Look, facts: HouseholdMember, top: float, *, tall: float, size: float
) -> None:
    """One 常住人口登记卡 over the width of the sheet, from `top` on."""
    rng, w = sheet.rng, sheet.width
    form = _Form(sheet, look, size)
    title = Pen(
        rng.choice(sheet.book.of("song", "kai", "hei", "songbold")), round(size * 1.7), form.rule
    )
    title.spacing = rng.choice((0.0, 0.2, 0.5))
    sheet.text(w / 2, top + size * 2.2, "常住人口登记卡", title, align="m")
    dates = DateStyle("arabic", padded=rng.random() < 0.3)
    entries = entries_of(facts, dates, rng)
    if rng.random() < 0.35:
        entries = [each for each in entries if each.field not in ("血型", "兵役状况")]
    left, right = w * rng.uniform(0.05, 0.08), w * rng.uniform(0.92, 0.95)
    step = (tall - size * 7.5) / (len(entries) / 2 + 1)
    labels = (size * rng.uniform(7.9, 8.5), size * rng.uniform(5.0, 5.8))
    y = ruled(form, entries, (left, top + size * 3.2, right), step, labels)
    foot(sheet, form, facts, dates, right, y + size * 1.7)
    if rng.random() < 0.6:
        word = rng.choice(("户口专用章", "户口登记专用"))
        text = f"{facts.member.region.short_city}公安局"
        layer = seals.round_seal(
            sheet.book, look.title_face, rng, text, round(size * rng.uniform(6, 8)), below=word
        )
        sheet.stamp(layer, w * rng.uniform(0.3, 0.9), y + size * rng.uniform(-3, 1))


def foot(
    sheet: Sheet, form: _Form, facts: HouseholdMember, dates: DateStyle, right: float, y: float
) -> None:
    """承办人签章 and 登记日期 under the form."""
    size = form.size
    x = right - size * 24
    box = sheet.text(x, y, "承办人签章：", form.label)
    sheet.text(box[2] + size * 0.3, y, facts.clerk, form.value)
    box = sheet.text(right - size * 13, y, "登记日期：", form.label)
    sheet.text(box[2] + size * 0.3, y, dates.write(facts.registered), form.value, field="登记日期")


def first_page(
    sheet: Sheet, look: Look, facts: HouseholdMember, top: float, *, size: float, tall: float
) -> None:
    """The first page of the booklet: kind of household, its head, its number and its address."""
    rng, w = sheet.rng, sheet.width
    form = _Form(sheet, look, size)
    left, right = w * 0.08, w * 0.92
    entries = [
        Entry("户　别", "户别", facts.household),
        Entry("户主姓名", "户主姓名", facts.head),
        Entry("户　号", "户号", facts.household_number),
        Entry("住　址", "住址", facts.member.address),
    ]
    if rng.random() < 0.5:
        entries[3] = entries[3]._replace(parts=2)
    step = (tall - size * 5) / 3
    y = ruled(form, entries, (left, top + size * 1.2, right), step, (size * 5, size * 5))
    x = left + size * 2
    sheet.text(x, y + size * 2, "省级公安机关", form.label)
    sheet.text(x, y + size * 3.4, "户口专用章", form.label)
    sheet.text(w * 0.55, y + size * 2, "户口登记机关", form.label)
    sheet.text(w * 0.55, y + size * 3.4, "户口专用章", form.label)
    text = f"{facts.member.region.short_city}公安局户口专用章"
    layer = seals.round_seal(sheet.book, look.title_face, rng, text, round(size * 7))
    sheet.stamp(layer, w * 0.68, y + size * 2.5)


@setting("household_card", HouseholdMember, schema=SCHEMA, ratio=(0.68, 0.82), weight=2.0)
def alone(sheet: Sheet, facts: HouseholdMember, look: Look) -> None:
    """The card by itself, broader than tall."""
    size = sheet.width * sheet.rng.uniform(0.0175, 0.0205)
    card(sheet, look, facts, 0.0, tall=sheet.height * 0.97, size=size)


@setting("household_card_tall", HouseholdMember, schema=SCHEMA, ratio=(1.3, 1.42), weight=1.0)
def tall(sheet: Sheet, facts: HouseholdMember, look: Look) -> None:
    """The card on the upper part of a copied page."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    size = w * rng.uniform(0.018, 0.021)
    card(sheet, look, facts, h * rng.uniform(0.02, 0.1), tall=h * rng.uniform(0.5, 0.6), size=size)
    if rng.random() < 0.5:
        sheet.image.paste(sheet.image.convert("L").convert("RGB"))


@setting("household_opened", HouseholdMember, schema=SCHEMA, ratio=(1.3, 1.42), weight=1.0)
def opened(sheet: Sheet, facts: HouseholdMember, look: Look) -> None:
    """The booklet opened: the first page above, the card below."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    size = w * rng.uniform(0.018, 0.0205)
    first_page(sheet, look, facts, h * 0.03, size=size, tall=h * 0.3)
    fold = round(h * 0.42)
    sheet.draw.line((0, fold, w, fold), (190, 188, 182), 2)
    card(sheet, look, facts, h * 0.42, tall=h * 0.56, size=size)


@setting("household_plain", HouseholdMember, schema=SCHEMA, ratio=(0.72, 0.85), weight=1.2)
def plain(sheet: Sheet, facts: HouseholdMember, look: Look) -> None:
    """A form of which only the rows are ruled, the values in another ink."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    size = w * rng.uniform(0.0175, 0.0195)
    form = _Form(sheet, look, size)
    sheet.text(w / 2, size * 3, "常 住 人 口 登 记 卡", look.body(size * 1.6), align="m")
    dates = DateStyle("arabic", padded=rng.random() < 0.5)
    entries = entries_of(facts, dates, rng)
    rows: list[list[Entry]] = []
    for entry in entries:
        if entry.parts == 1 and rows and len(rows[-1]) == 1 and rows[-1][0].parts == 1:
            rows[-1].append(entry)
        else:
            rows.append([entry])
    left, right, y = w * 0.07, w * 0.93, size * 4.4
    step = (h - size * 8) / len(rows)
    for row in rows:
        for half, entry in enumerate(row):
            x = left + half * (right - left) * 0.57
            form.words(x, y, step, entry.label, form.label, None)
            end = right if half or entry.parts == 2 else left + (right - left) * 0.55
            form.fill(x + size * 7.8, y, end, step, entry)
        y += step
        sheet.draw.line((left, y, right, y), form.rule, 1)
    foot(sheet, form, facts, dates, right, y + size * 1.8)


@setting(
    "heldout_household_columns",
    HouseholdMember,
    schema=SCHEMA,
    ratio=(0.8, 0.95),
    heldout=True,
)
def columns(sheet: Sheet, facts: HouseholdMember, look: Look) -> None:
    """The card of a provincial form: three entries to a row, the values under their labels."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    size = w * rng.uniform(0.017, 0.019)
    form = _Form(sheet, look, size)
    sheet.text(w / 2, size * 3, "常住人口登记卡", look.body(size * 1.8, spacing=0.3), align="m")
    dates = DateStyle(rng.choice(("arabic", "dashed")), padded=True)
    entries = [each for each in entries_of(facts, dates, rng) if each.field != "其他住址"]
    wide = [
        each for each in entries if each.parts == 2 or each.field in ("服务处所", "公民身份号码")
    ]
    rest = [each for each in entries if each not in wide]
    rows = [rest[n : n + 3] for n in range(0, len(rest), 3)]
    rows += [wide[n : n + 2] for n in range(0, len(wide), 2)]
    left, right, y = w * 0.06, w * 0.94, size * 4.4
    step = (h - size * 8) / len(rows)
    for row in rows:
        width = (right - left) / len(row)
        for n, entry in enumerate(row):
            x = left + n * width
            sheet.draw.rectangle((x, y, x + width, y + step), outline=form.rule, width=2)
            label = entry.label.replace("\n", "").replace("　", "")
            sheet.text(
                x + size * 0.4,
                y + size * 1.25,
                label,
                Pen(form.label.face, round(size * 0.85), form.label.ink),
            )
            low = (y + size * 1.5, step - size * 1.6)
            form.fill(x + size * 0.6, low[0], x + width - size * 0.3, low[1], entry)
        y += step
    foot(sheet, form, facts, dates, right, y + size * 1.8)


@setting(
    "heldout_household_certificate",
    HouseholdMember,
    schema=SCHEMA,
    ratio=(1.3, 1.42),
    heldout=True,
)
def certificate(sheet: Sheet, facts: HouseholdMember, look: Look) -> None:
    """A printed extract: two cards' width of entries one below the other, colons behind the labels."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    size = w * rng.uniform(0.021, 0.024)
    form = _Form(sheet, look, size)
    sheet.text(w / 2, h * 0.06, "常住人口登记卡", look.body(size * 1.5), align="m")
    sheet.text(w / 2, h * 0.09, "（户籍档案摘录）", look.body(size * 0.8), align="m")
    dates = DateStyle("arabic")
    entries = entries_of(facts, dates, rng)
    y, step = h * 0.14, h * 0.038
    labels: dict[str, str] = {"户主或与\n户主关系": "户主或与户主关系"}
    for entry in entries:
        label = labels.get(entry.label, entry.label).replace("\n", "").replace("　", "")
        box = sheet.text(w * 0.12, y, f"{label}：", form.label)
        if entry.text:
            pen: Pen = form.value
            x = box[2] + size * 0.5
            last = sheet.flow(
                (x, y, w * 0.9), [(TextRun(entry.text, entry.field), pen)], leading=size * 1.3
            )
            y = last
        y += step
    foot(sheet, form, facts, dates, w * 0.9, y + size)

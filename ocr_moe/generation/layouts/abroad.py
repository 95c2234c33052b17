"""Diplomas of foreign students, and of Taiwan.

The layouts `heldout_…` check what was tuned on the others.
"""

from __future__ import annotations

from ocr_moe.generation.dates import DateStyle
from ocr_moe.generation.documents.graduates import Graduate
from ocr_moe.generation.layouts import certificate
from ocr_moe.generation.layouts.diplomas import foot, head, title
from ocr_moe.generation.layouts.pieces import (
    background,
    fill_in,
    number_line,
    number_size,
    office_seal,
    photo,
    printed,
    prose,
    signed,
)
from ocr_moe.generation.lexicons import further_wordings
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import pictures
from ocr_moe.generation.sheet import Sheet, TextRun


def further_wording(sheet: Sheet, facts: Graduate, look: Look, kind: str) -> list[TextRun]:
    """A wording of a further kind, cut into runs."""
    person = facts.person
    values = printed(facts, look) | {
        "country": TextRun(person.country, filled=True),
        "passport": TextRun(person.passport, filled=True),
        "college": TextRun(facts.college, filled=True),
    }
    return fill_in(sheet.rng.choice(further_wordings(kind)), values)


@certificate(
    "foreign_prose", kind="diploma", ratio=(0.66, 0.74), further="foreign", holder="foreign"
)
def foreign(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """The usual landscape page; the name is printed as in the passport."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look)
    size = w * rng.uniform(0.021, 0.025)
    left, right = w * 0.1, w * 0.9
    base = title(sheet, look, facts, w / 2, h * 0.15, w * rng.uniform(0.036, 0.046))
    start = max(base + h * 0.1, h * 0.34)
    if rng.random() < 0.6:
        start = max(start, photo(sheet, look, facts, left, h * 0.1, w * 0.11) + size * 1.6)
    leading = size * rng.uniform(1.8, 2.1)
    runs = further_wording(sheet, facts, look, "foreign")
    last = prose(sheet, look, runs, (left, start, right), size, leading, limit=h * 0.66)
    y = max(last + leading * 1.2, h * 0.71)
    edge = head(sheet, look, facts, left, y, size)
    foot(sheet, look, facts, right, y, size, edge)
    number_line(sheet, look, facts, left, h * rng.uniform(0.89, 0.93))


@certificate(
    "heldout_foreign_booklet",
    kind="diploma",
    ratio=(1.3, 1.42),
    heldout=True,
    further="foreign",
    holder="foreign",
)
def foreign_booklet(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """A portrait page, the number under the photograph."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look)
    size = w * rng.uniform(0.027, 0.031)
    left, right = w * 0.12, w * 0.88
    lower = photo(sheet, look, facts, w * 0.41, h * 0.08, w * 0.18)
    number_line(sheet, look, facts, w / 2, lower + h * 0.035, align="m")
    base = title(sheet, look, facts, w / 2, lower + h * 0.1, w * 0.05)
    leading = size * rng.uniform(1.9, 2.2)
    runs = further_wording(sheet, facts, look, "heldout_foreign")
    last = prose(sheet, look, runs, (left, base + h * 0.08, right), size, leading, limit=h * 0.76)
    y = max(last + leading * 1.4, h * 0.82)
    edge = head(sheet, look, facts, left, y, size)
    foot(sheet, look, facts, right, y, size, edge)


def republican(look: Look, sheet: Sheet) -> None:
    """Dates as Taiwan prints them."""
    style = DateStyle(
        sheet.rng.choice(("minguo", "minguo_chinese")), gap=sheet.rng.choice(("", " "))
    )
    look.dates = look.foot_dates = style


def taiwan_number(sheet: Sheet, look: Look, facts: Graduate, x: float, y: float) -> None:
    """The number with its label; one with characters also stands alone."""
    rng = sheet.rng
    if not look.numbered:
        return
    labels = ["證書編號：", "證書字號：", "學位證書編號："]
    label = rng.choice([*labels, ""] if "字第" in facts.number else labels)
    size = number_size(sheet) * 1.1
    box = sheet.text(x, y, label, look.body(size)) if label else (x, y, x, y)
    sheet.text(box[2] + size * 0.2, y, facts.number, look.digits(size), field="证书编号")


def taiwan_foot(sheet: Sheet, look: Look, facts: Graduate, x: float, y: float, size: float) -> None:
    """校長 with a name, the date under it, the seal over both."""
    name = sheet.rng.choice(("林建國", "陳文華", "管中和", "蘇慧真"))
    signed(sheet, look, sheet.rng.choice(("校長", "校　長")), x, y, size, name)
    text = sheet.rng.choice(("中華", "")) + look.foot_dates.write(facts.issued)
    pen = look.fill(size)
    pen.underline = False
    box = sheet.text(x, y + size * 2.4, text, pen, field="毕业日期")
    if sheet.rng.random() < 0.7:
        office_seal(sheet, look, facts.school, box[2] + size * 2, y + size)


@certificate("taiwan_prose", kind="diploma", ratio=(0.66, 0.74), further="taiwan", holder="taiwan")
def taiwan(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """The school and the title above, one sentence without stops, head and date below."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    republican(look, sheet)
    background(sheet, look)
    size = w * rng.uniform(0.023, 0.027)
    if rng.random() < 0.5:
        sheet.stamp(pictures.emblem(rng, round(w * 0.07)), w / 2, h * 0.1)
    suffix = {"本科": "學士", "硕士研究生": "碩士"}[facts.level]
    name = rng.choice((f"{suffix}學位證書", "學位證書", f"{suffix}學位證書"))
    if rng.random() < 0.5:
        sheet.text(w / 2, h * 0.2, facts.school, look.title(w * 0.036), align="m", field="毕业院校")
        sheet.text(w / 2, h * 0.29, name, look.title(w * 0.04, spacing=0.2), align="m")
    else:
        pen = look.title(w * 0.036)
        x = w / 2 - sheet.measure(facts.school + name, pen) / 2
        box = sheet.text(x, h * 0.24, facts.school, pen, field="毕业院校")
        sheet.text(box[2] + pen.size * 0.1, h * 0.24, name, pen)
    taiwan_number(sheet, look, facts, w * rng.choice((0.1, 0.6)), h * 0.91)
    leading = size * rng.uniform(1.8, 2.1)
    runs = further_wording(sheet, facts, look, "taiwan")
    last = prose(sheet, look, runs, (w * 0.12, h * 0.38, w * 0.88), size, leading, limit=h * 0.64)
    taiwan_foot(sheet, look, facts, w * 0.14, max(last + leading * 1.3, h * 0.7), size)


@certificate(
    "heldout_taiwan_portrait",
    kind="diploma",
    ratio=(1.36, 1.44),
    heldout=True,
    further="taiwan",
    holder="taiwan",
)
def taiwan_portrait(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """A portrait page with its number at the head, the school at the foot."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    republican(look, sheet)
    background(sheet, look)
    taiwan_number(sheet, look, facts, w * 0.5, h * 0.1)
    text = rng.choice(("畢業證書", "學位證書", "學位證明書"))
    sheet.text(w / 2, h * 0.2, text, look.title(w * 0.065, spacing=0.5), align="m")
    size = w * rng.uniform(0.03, 0.034)
    leading = size * 2.1
    runs = further_wording(sheet, facts, look, "heldout_taiwan")
    last = prose(sheet, look, runs, (w * 0.13, h * 0.3, w * 0.87), size, leading, limit=h * 0.62)
    y = max(last + leading * 1.2, h * 0.66)
    pen = look.fill(size * 1.2)
    pen.underline = False
    sheet.text(w * 0.2, y, facts.school, pen, field="毕业院校")
    taiwan_foot(sheet, look, facts, w * 0.2, y + leading, size)

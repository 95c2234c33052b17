"""Layouts that are kept out of the default selection, to test what was tuned on the others.

They differ on purpose: a vertical title, a ruled form with shaded labels, a number broken over two
lines, a number in the middle under the title, a foot at the left.
"""

from __future__ import annotations

from collections.abc import Sequence

from ocr_moe.generation import payloads
from ocr_moe.generation.documents.businesses import Licence
from ocr_moe.generation.documents.graduates import Graduate
from ocr_moe.generation.layouts import certificate, licence
from ocr_moe.generation.layouts.degrees import title_of
from ocr_moe.generation.layouts.diplomas import TITLES, foot, head
from ocr_moe.generation.layouts.licences import (
    ALL,
    Row,
    authority,
    heading,
    paper_of,
    qr_code,
    rows_of,
    small_print,
)
from ocr_moe.generation.layouts.pieces import (
    background,
    number_line,
    number_size,
    photo,
    printed,
    prose,
    wording,
)
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import paper, pictures
from ocr_moe.generation.sheet import Colour, Sheet, TextRun


def band(sheet: Sheet, colour: Colour, box: tuple[float, float, float, float]) -> None:
    """A coloured field."""
    x0, y0, x1, y1 = (round(value) for value in box)
    sheet.draw.rectangle((x0, y0, x1, y1), fill=colour)


def vertical(sheet: Sheet, text: str, x: float, y: float, look: Look, size: float) -> None:
    """Text from top to bottom, each character centred at `x`."""
    pen = look.title(size)
    for n, char in enumerate(text):
        sheet.text(x, y + n * size * 1.35, char, pen, align="m")


@certificate("heldout_rail", kind="diploma", ratio=(0.6, 0.68), heldout=True)
def rail(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """A coloured rail at the left with a vertical title; the photograph right of the text."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look, framed=False)
    tint = tuple(225 + c // 9 for c in look.accent)
    band(sheet, (tint[0], tint[1], tint[2]), (0, 0, w * 0.14, h))
    vertical(sheet, "毕业证书", w * 0.07, h * 0.27, look, w * 0.05)
    size = w * rng.uniform(0.02, 0.024)
    left, right = w * 0.18, w * 0.93
    sheet.text(left, h * 0.12, "".join(TITLES[facts.form][:1]), look.title(w * 0.026))
    number_line(sheet, look, facts, right, h * 0.12, align="r")
    wide = w * 0.11
    lower = photo(sheet, look, facts, right - wide, h * 0.2, wide)
    leading = size * rng.uniform(1.7, 2.0)
    last = prose(
        sheet,
        look,
        wording(sheet, facts, look),
        (left, h * 0.26, right - wide - size * 2),
        size,
        leading,
        limit=h * 0.62,
    )
    y = max(last + leading * 1.3, lower + leading, h * 0.66)
    edge = head(sheet, look, facts, left, y, size)
    foot(sheet, look, facts, right, y, size, edge)


@certificate("heldout_narrow", kind="diploma", ratio=(1.2, 1.32), heldout=True)
def narrow(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """Nearly square, the number under the photograph broken over two lines, the foot centred."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look)
    base = h * 0.13
    sheet.text(
        w / 2, base, rng.choice(("毕业证书", "毕 业 证 书")), look.title(w * 0.06), align="m"
    )
    wide = w * 0.17
    x = w * 0.12
    lower = photo(sheet, look, facts, x, h * 0.2, wide)
    size: float = number_size(sheet)
    if look.numbered:
        sheet.text(
            x, lower + size * 1.8, rng.choice(("证书编号", "编号：", "证书编号：")), look.body(size)
        )
        half = (len(facts.number) + 1) // 2
        for n, part in enumerate((facts.number[:half], facts.number[half:])):
            pen = look.digits(size)
            pen.spacing = min(pen.spacing, 0.1)
            sheet.text(x, lower + size * (3.3 + 1.45 * n), part, pen, field="证书编号")
    size = w * rng.uniform(0.025, 0.029)
    leading = size * rng.uniform(1.8, 2.1)
    last = prose(
        sheet,
        look,
        wording(sheet, facts, look),
        (x + wide + w * 0.06, h * 0.23, w * 0.88),
        size,
        leading,
        limit=h * 0.66,
    )
    y = max(last + leading * 1.4, lower + leading * 2, h * 0.7)
    head(sheet, look, facts, x, y, size)
    foot(sheet, look, facts, w * 0.7, y + leading * 1.2, size)


@certificate("heldout_register", kind="diploma", ratio=(1.36, 1.44), heldout=True)
def register(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """A register sheet: a ruled form with shaded labels, a verification code and a QR code."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    size = w * rng.uniform(0.019, 0.022)
    text = rng.choice(("学历证书电子注册备案表", "高等教育学历认证备案表", "毕业证书登记表"))
    sheet.text(w / 2, h * 0.09, text, look.title(w * 0.036), align="m")
    values = printed(facts, look)
    issued = TextRun(look.foot_dates.write(facts.issued), "毕业日期")
    rows: list[tuple[str, TextRun | None]] = [
        ("姓名", values["name"]),
        ("性别", values["sex"]),
        ("出生日期", values["birth"]),
        ("入学日期", values["start"]),
        ("毕业日期", issued),
        ("学校名称", values["school"]),
        ("专业", values["major"]),
        ("层次", values["level"]),
        ("学制", values["years"]),
        ("学历类别", TextRun("".join(TITLES[facts.form][:1]))),
        ("毕（结）业", TextRun("毕业")),
    ]
    if look.numbered:
        rows.append(("证书编号", TextRun(facts.number, "证书编号")))
    left, right, top = w * 0.1, w * 0.9, h * 0.16
    step = h * rng.uniform(0.04, 0.046)
    wide = w * 0.16
    split = left + w * 0.2
    photo(sheet, look, facts, right - wide, top + step * 0.3, wide * 0.95)
    for n, (label, run) in enumerate(rows):
        y = top + n * step
        edge = right - wide - w * 0.02 if y < top + wide * 1.6 else right
        band(sheet, (238, 240, 244), (left, y, split, y + step))
        sheet.draw.rectangle((left, y, edge, y + step), outline=(150, 150, 155))
        sheet.text(left + size * 0.6, y + step * 0.64, label, look.body(size))
        if run:
            pen = look.digits(number_size(sheet)) if label == "证书编号" else look.fill(size)
            pen.underline = False
            sheet.text(split + size * 0.6, y + step * 0.64, run.text, pen, field=run.field)
    y = top + len(rows) * step + h * 0.06
    code = "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ23456789") for _ in range(16))
    groups = " ".join(code[n : n + 4] for n in range(0, 16, 4))
    sheet.text(left, y, f"在线验证码 {groups}", look.body(size))
    sheet.image.paste(
        pictures.qr_code(rng, round(w * 0.12), lambda _: payloads.of_register(code)),
        (round(right - w * 0.13), round(y)),
    )
    notes = (
        "注意事项：",
        "1、备案表是依据国家有关规定对学历证书电子注册复核备案的结果。",
        "2、备案表内容验证办法：登录网站并输入在线验证码。",
        "3、未经学历信息权属人同意，不得将备案表用于违背权属人意愿之用途。",
    )
    for n, note in enumerate(notes):
        sheet.text(left, y + h * 0.05 + n * size * 1.7, note, look.body(size * 0.72))


@certificate("heldout_degree_medal", kind="degree", ratio=(0.72, 0.8), heldout=True)
def medal(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """The number in the middle under the title, the foot at the left, the photograph below right."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look)
    sheet.stamp(pictures.emblem(rng, round(w * 0.07)), w / 2, h * 0.11)
    pen = look.title(w * rng.uniform(0.04, 0.05), spacing=0.25)
    sheet.text(w / 2, h * 0.24, title_of(sheet, facts), pen, align="m")
    number_line(sheet, look, facts, w / 2, h * 0.3, align="m")
    size = w * rng.uniform(0.022, 0.026)
    left, right = w * 0.12, w * 0.88
    leading = size * rng.uniform(1.7, 2.0)
    last = prose(
        sheet,
        look,
        wording(sheet, facts, look),
        (left, h * 0.39, right),
        size,
        leading,
        limit=h * 0.6,
    )
    photo(sheet, look, facts, right - w * 0.11, max(last + leading * 0.6, h * 0.66), w * 0.105)
    y = max(last + leading * 1.3, h * 0.7)
    foot(sheet, look, facts, w * 0.4, y, size)
    head(sheet, look, facts, w * 0.44, y, size)


@certificate("heldout_degree_strip", kind="degree", ratio=(1.3, 1.4), heldout=True)
def strip(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """Portrait, the number at the head left, photograph in the middle, text below it."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    sheet.inset = paper.frame(rng, sheet.image, look.accent, 0.05)
    number_line(sheet, look, facts, w * 0.1, h * 0.095)
    pen = look.title(w * 0.055, spacing=0.5)
    sheet.text(w / 2, h * 0.2, title_of(sheet, facts), pen, align="m")
    sheet.text(w / 2, h * 0.255, facts.school, look.fill(w * 0.034), align="m", field="毕业院校")
    wide = w * 0.15
    lower = photo(sheet, look, facts, w / 2 - wide / 2, h * 0.29, wide)
    size = w * rng.uniform(0.028, 0.031)
    leading = size * 2.1
    first = lower + leading * 1.4
    last = prose(
        sheet,
        look,
        wording(sheet, facts, look),
        (w * 0.12, first, w * 0.88),
        size,
        leading,
        limit=h * 0.74,
    )
    y = max(last + leading * 1.2, h * 0.77)
    edge = head(sheet, look, facts, w * 0.12, y, size * 0.9)
    foot(sheet, look, facts, w * 0.86, y + leading * 0.6, size * 0.9, edge)


def ruled(
    sheet: Sheet,
    look: Look,
    rows: Sequence[Row],
    sides: tuple[float, float],
    top: float,
    step: float,
    size: float,
) -> float:
    """Entries in a ruled table, labels in cells of their own; returns the lower edge."""
    left, right = sides
    split = left + size * 8.2
    y = top
    for row in rows:
        pen = look.fill(size * (0.85 if row.field == "经营范围" else 1.0))
        pen.underline = False
        run = [(TextRun(row.value, row.field), pen)]
        lines = sheet.lines_of(right - split - size * 1.2, run)
        height = max(step, step * 0.55 + lines * pen.size * 1.3)
        band(sheet, (240, 236, 224), (left, y, split, y + height))
        sheet.draw.rectangle((left, y, right, y + height), outline=(140, 130, 110))
        sheet.text(
            (left + split) / 2, y + height / 2 + size * 0.36, row.label, look.body(size), align="m"
        )
        first = y + height / 2 - (lines - 1) * pen.size * 0.65 + pen.size * 0.36
        sheet.flow(
            (split + size * 0.6, first, right - size * 0.4),
            run,
            leading=pen.size * 1.3,
            justify=False,
        )
        y += height
    return y


@licence("heldout_licence_ruled", era="modern", families=ALL, ratio=(1.3, 1.42), heldout=True)
def ruled_modern(sheet: Sheet, facts: Licence, look: Look) -> None:
    """The code in the table's first row, as print-outs of the electronic licence have it."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    heading(sheet, look, w / 2, h * 0.12, w * 0.07, rng.choice(("营业执照", "电子营业执照")))
    rows = [Row("统一社会信用代码", facts.code, "统一社会信用代码"), *rows_of(facts, sheet)]
    size = w * rng.uniform(0.0195, 0.0215)
    lower = ruled(sheet, look, rows, (w * 0.1, w * 0.9), h * 0.2, h * 0.044, size)
    sheet.image.paste(
        qr_code(rng, round(w * 0.12), facts),
        (round(w * 0.11), round(max(lower + h * 0.03, h * 0.8))),
    )
    authority(sheet, look, facts, w * 0.68, max(lower + h * 0.05, h * 0.82), size)


@licence("heldout_licence_old", era="old", families=ALL, ratio=(0.68, 0.76), heldout=True)
def ruled_old(sheet: Sheet, facts: Licence, look: Look) -> None:
    """An older licence with its number at the upper left and the entries ruled."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    paper_of(sheet, look)
    text = {"company": "企业法人营业执照", "individual": "个体工商户营业执照"}.get(
        facts.family, "营业执照"
    )
    heading(sheet, look, w / 2, h * 0.14, w * 0.042, text)
    size: float = number_size(sheet)
    box = sheet.text(
        w * 0.11, h * 0.235, rng.choice(("注册号：", "注册号", "营业执照注册号：")), look.body(size)
    )
    sheet.text(
        box[2] + size * 0.4, h * 0.235, facts.code, look.digits(size), field="统一社会信用代码"
    )
    size = w * rng.uniform(0.015, 0.0165)
    lower = ruled(sheet, look, rows_of(facts, sheet), (w * 0.1, w * 0.9), h * 0.265, h * 0.05, size)
    authority(sheet, look, facts, w * 0.74, max(lower + h * 0.05, h * 0.84), size)
    small_print(sheet, look, facts)


@licence("heldout_licence_mirror", era="modern", families=ALL, ratio=(0.66, 0.71), heldout=True)
def mirror(sheet: Sheet, facts: Licence, look: Look) -> None:
    """Landscape with the code under the QR code at the right, and labels with colons."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    paper_of(sheet, look)
    sheet.stamp(pictures.emblem(rng, round(w * 0.08)), w * 0.16, h * 0.17)
    heading(sheet, look, w * 0.4, h * 0.2, w * 0.06, "营业执照")
    side = round(w * 0.09)
    sheet.image.paste(qr_code(rng, side, facts), (round(w * 0.8), round(h * 0.09)))
    size: float = number_size(sheet)
    sheet.text(
        w * 0.93, h * 0.27, facts.code, look.digits(size), field="统一社会信用代码", align="r"
    )
    sheet.text(
        w * 0.93, h * 0.27 + size * 1.5, "（统一社会信用代码）", look.body(size * 0.8), align="r"
    )
    size = w * rng.uniform(0.0165, 0.0185)
    y = h * 0.36
    for row in rows_of(facts, sheet):
        pen = look.fill(size)
        pen.underline = False
        box = sheet.text(w * 0.1, y, f"{row.label}：", look.body(size))
        last = sheet.flow(
            (box[2] + size * 0.3, y, w * 0.9),
            [(TextRun(row.value, row.field), pen)],
            leading=size * 1.4,
            justify=False,
        )
        y = last + h * 0.047
    authority(sheet, look, facts, w * 0.72, max(y, h * 0.84), size)

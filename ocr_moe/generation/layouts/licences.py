"""Business licences, 营业执照."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import NamedTuple

from PIL import Image

from ocr_moe.generation import payloads
from ocr_moe.generation.documents.businesses import Licence
from ocr_moe.generation.layouts import licence
from ocr_moe.generation.layouts.pieces import grouped, number_size, office_seal
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import paper, pictures
from ocr_moe.generation.sheet import Pen, Sheet, TextRun

ALL = ("company", "individual", "partnership", "cooperative")
GOLDS = ((150, 116, 40), (126, 96, 36), (172, 136, 60), (40, 36, 30))


class Row(NamedTuple):
    """A labelled entry; `field` is None for what no schema asks for."""

    label: str
    value: str
    field: str | None


@dataclass
class Column:
    """Where rows are set, in pixels."""

    left: float
    top: float
    right: float
    label_width: float
    step: float


def rows_of(facts: Licence, sheet: Sheet) -> list[Row]:
    """The entries of a licence in their usual order."""
    rng = sheet.rng
    old = facts.era == "old"
    individual = facts.family == "individual"
    head = "法定代表人"
    place = "住所"
    scope = "经营范围"
    founded = "成立日期"
    if individual:
        head, place = "经营者", "经营场所"
        founded = rng.choice(("注册日期", "成立日期", "注册日期"))
        if old:
            head = rng.choice(("经营者姓名", "经营者"))
    elif facts.family == "partnership":
        head = (
            "投资人" if facts.type == "个人独资企业" else rng.choice(("执行事务合伙人", "负责人"))
        )
        place = "主要经营场所"
    elif facts.family == "cooperative":
        place = rng.choice(("住所", "住　所"))
        scope = rng.choice(("业务范围", "经营范围"))
    elif old:
        head = rng.choice(("法定代表人姓名", "法定代表人"))
    rows = [
        Row("名称" if not individual or rng.random() < 0.8 else "字号名称", facts.name, "名称"),
        Row(
            "公司类型" if old and facts.family == "company" and rng.random() < 0.5 else "类型",
            facts.type,
            "类型",
        ),
        Row(place, facts.address, "住所"),
        Row(head, facts.person, "法定代表人"),
    ]
    if facts.capital:
        label = "注册资本" if facts.family != "cooperative" else "成员出资总额"
        rows.append(Row(label, facts.capital, "注册资本"))
        if old and rng.random() < 0.6:
            rows.append(Row("实收资本", facts.capital, None))
    if individual:
        rows.append(Row("组成形式", rng.choice(("个人经营", "家庭经营")), None))
    rows.append(Row(founded, facts.founded_printed, "成立日期"))
    if facts.term:
        label = "合伙期限" if facts.family == "partnership" and rng.random() < 0.5 else "营业期限"
        rows.append(Row(label, facts.term, "营业期限"))
    rows.append(Row(scope, facts.scope, "经营范围"))
    return rows


def label(sheet: Sheet, text: str, x: float, y: float, width: float, pen: Pen) -> None:
    """A label spread over a width, as forms print them: 名　　称."""
    if len(text) < 2:
        sheet.text(x, y, text, pen)
        return
    advance = (width - pen.size) / (len(text) - 1)
    if advance < pen.size:
        sheet.text(x, y, text, pen)
        return
    for n, char in enumerate(text):
        sheet.text(x + n * advance, y, char, pen)


def entries(sheet: Sheet, look: Look, rows: Sequence[Row], column: Column, size: float) -> float:
    """Sets rows one below the other; long values wrap under themselves; returns the next y."""
    form, fill = look.body(size), look.fill(size)
    form.bold = look.title_face is look.body_face
    fill.underline = False
    y = column.top
    for row in rows:
        label(sheet, row.label, column.left, y, column.label_width, form)
        pen = Pen(fill.face, fill.size, fill.ink, fill.spacing, fill.shift)
        if row.field == "经营范围":
            pen.size = max(11, round(pen.size * sheet.rng.uniform(0.72, 0.95)))
        x = column.left + column.label_width + size * 1.1
        last = sheet.flow(
            (x, y, column.right),
            [(TextRun(row.value, row.field), pen)],
            leading=pen.size * 1.32,
            justify=False,
        )
        y = max(y + column.step, last + column.step * 0.9)
    return y


def code_line(
    sheet: Sheet, look: Look, facts: Licence, x: float, y: float, *, align: str = "m"
) -> None:
    """统一社会信用代码 or 注册号, and its value; sometimes with (1/1) behind it."""
    rng = sheet.rng
    size = number_size(sheet)
    name = (
        "统一社会信用代码"
        if facts.era == "modern"
        else rng.choice(("注册号", "注册号", "注 册 号", "注册号："))
    )
    form = look.body(size * rng.uniform(0.95, 1.15))
    form.bold = rng.random() < 0.4
    digits = look.digits(size)
    digits.spacing = rng.choice((0, 0, 0, 0.05, 0.1))
    text = grouped(facts.code, (6, 9) if rng.random() < 0.03 else ())
    gap = size * rng.choice((0.3, 0.6, 1.0, 1.6))
    total = sheet.measure(name, form) + gap + sheet.measure(text, digits)
    x -= {"l": 0.0, "m": total / 2, "r": total}[align]
    x = max(min(x, sheet.width - sheet.inset - total - size), sheet.inset + size)
    sheet.text(x, y, name, form)
    box = sheet.text(x + sheet.measure(name, form) + gap, y, text, digits, field="统一社会信用代码")
    if rng.random() < 0.3:
        copies = rng.choice(("(1/1)", "(1-1)", "1-1", "(2/2)", "（1/1）"))
        sheet.text(box[0] + (box[2] - box[0]) * 0.4, y + size * 1.5, copies, look.body(size * 0.9))


def heading(sheet: Sheet, look: Look, x: float, y: float, size: float, text: str) -> float:
    """Emblem and title, with 副本 below or not; returns the lowest baseline."""
    rng = sheet.rng
    pen = look.title(size, spacing=rng.uniform(0.2, 0.7) if len(text) < 6 else 0.08)
    pen.ink = rng.choice(GOLDS)
    pen.bold = rng.random() < 0.5
    sheet.text(x, y, text, pen, align="m")
    if rng.random() < 0.6:
        y += size * 0.62
        below = look.body(size * 0.33)
        below.ink = pen.ink
        sheet.text(
            x, y, rng.choice(("（副　本）", "(副 本)", "（副本）", "（正　本）")), below, align="m"
        )
    return y


def authority(sheet: Sheet, look: Look, facts: Licence, x: float, y: float, size: float) -> None:
    """登记机关 with the seal and the date."""
    rng = sheet.rng
    label(sheet, "登记机关", x - size * 3, y, size * 6, look.body(size))
    date = y + size * rng.uniform(2.2, 3.2)
    pen = look.fill(size)
    pen.underline = False
    box = sheet.text(x + size * rng.uniform(-1, 2), date, facts.issued, pen)
    office_seal(
        sheet,
        look,
        facts.region + facts.authority.split("（")[0],
        (box[0] + box[2]) / 2 + size * rng.uniform(-1.5, 1.5),
        (y + date) / 2,
        size=sheet.width * rng.uniform(0.09, 0.14)
        if sheet.width > sheet.height
        else sheet.width * rng.uniform(0.13, 0.18),
        below=rng.choice(("", "登记专用章", "(1)", str(rng.randrange(10**12, 10**13)))),
    )


def paper_of(sheet: Sheet, look: Look) -> None:
    """Background and border of a licence: gold or green, with a pattern more often than not."""
    rng = sheet.rng
    colour = rng.choice(((176, 150, 90), (150, 160, 150), (190, 170, 120), (140, 150, 120)))
    if rng.random() < 0.7:
        sheet.image.paste(paper.guilloche(rng, sheet.image, colour, rng.uniform(0.05, 0.2)))
    if rng.random() < 0.9:
        sheet.inset = paper.frame(rng, sheet.image, colour, rng.uniform(0.032, 0.045))


def small_print(sheet: Sheet, look: Look, facts: Licence) -> None:
    rng, w, h = sheet.rng, sheet.width, sheet.height
    pen = look.body(w * (0.011 if w > h else 0.0145))
    if rng.random() < 0.7:
        sheet.text(
            w * 0.06,
            h - w * 0.012,
            rng.choice(
                (
                    "企业信用信息公示系统网址：http://www.gsxt.gov.cn",
                    "http://www.gsxt.gov.cn",
                    "国家企业信用信息公示系统网址：http://www.gsxt.gov.cn",
                )
            ),
            pen,
        )
    if rng.random() < 0.7:
        sheet.text(
            w * 0.94,
            h - w * 0.012,
            rng.choice(("国家市场监督管理总局监制", "中华人民共和国国家工商行政管理总局监制")),
            pen,
            align="r",
        )
    if rng.random() < 0.4:
        notice = rng.choice(
            (
                "市场主体应当于每年1月1日至6月30日通过国家企业信用信息公示系统报送公示年度报告",
                "应当于每年1月1日至6月30日通过企业信用信息公示系统报送上一年度年度报告",
            )
        )
        sheet.text(w * 0.5, h - sheet.inset - 0.8 * pen.size, notice, pen, align="m")


def qr_code(rng: Random, size: int, facts: Licence) -> Image.Image:
    """The QR code of a licence."""
    return pictures.qr_code(rng, size, partial(payloads.of_licence, facts=facts))


@licence("licence_portrait", era="modern", families=ALL, ratio=(1.38, 1.44), weight=2.2)
def portrait(sheet: Sheet, facts: Licence, look: Look) -> None:
    """The portrait form of 2014: entries one below the other, QR code at the left foot."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    paper_of(sheet, look)
    emblem = round(w * rng.uniform(0.15, 0.2))
    sheet.stamp(pictures.emblem(rng, emblem, mono=rng.random() < 0.1), w / 2, h * 0.09)
    base = heading(
        sheet, look, w / 2, h * rng.uniform(0.2, 0.225), w * rng.uniform(0.088, 0.108), "营业执照"
    )
    code_line(sheet, look, facts, w * rng.uniform(0.5, 0.62), base + h * 0.04)
    size = w * rng.uniform(0.0215, 0.0265)
    column = Column(
        w * rng.uniform(0.11, 0.15),
        base + h * rng.uniform(0.08, 0.1),
        w * rng.uniform(0.86, 0.9),
        size * 6.1,
        h * rng.uniform(0.037, 0.042),
    )
    rows = rows_of(facts, sheet)
    if facts.family == "individual" and rng.random() < 0.5:
        rows.insert(0, rows.pop(3))
    entries(sheet, look, rows, column, size)
    if rng.random() < 0.85:
        side = round(w * rng.uniform(0.11, 0.15))
        sheet.image.paste(qr_code(rng, side, facts), (round(w * 0.13), round(h * 0.8)))
    authority(sheet, look, facts, w * 0.62, h * rng.uniform(0.85, 0.87), size)
    small_print(sheet, look, facts)


@licence("licence_landscape", era="modern", families=ALL, ratio=(0.68, 0.73), weight=1.2)
def landscape(sheet: Sheet, facts: Licence, look: Look) -> None:
    """A landscape form with one column of entries."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    paper_of(sheet, look)
    sheet.stamp(pictures.emblem(rng, round(w * rng.uniform(0.08, 0.1))), w / 2, h * 0.1)
    base = heading(
        sheet, look, w / 2, h * rng.uniform(0.25, 0.28), w * rng.uniform(0.05, 0.06), "营业执照"
    )
    code_line(
        sheet,
        look,
        facts,
        *rng.choice(
            ((w * 0.5, base + h * 0.045), (w * 0.26, h * 0.16), (w * 0.75, base + h * 0.045))
        ),
    )
    size = w * rng.uniform(0.0165, 0.019)
    column = Column(
        w * 0.11,
        base + h * 0.115,
        w * rng.uniform(0.8, 0.89),
        size * 6.1,
        h * rng.uniform(0.047, 0.052),
    )
    entries(sheet, look, rows_of(facts, sheet), column, size)
    if rng.random() < 0.8:
        side = round(w * rng.uniform(0.075, 0.1))
        sheet.image.paste(
            qr_code(rng, side, facts), (round(w * rng.choice((0.1, 0.82))), round(h * 0.08))
        )
    authority(sheet, look, facts, w * 0.72, h * 0.84, size)
    small_print(sheet, look, facts)


@licence("licence_columns", era="modern", families=ALL, ratio=(0.68, 0.73), weight=1.8)
def columns(sheet: Sheet, facts: Licence, look: Look) -> None:
    """The landscape form of 2019: two columns, the code at the upper left, a QR code right."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    paper_of(sheet, look)
    sheet.stamp(pictures.emblem(rng, round(w * rng.uniform(0.085, 0.105))), w / 2, h * 0.1)
    size = w * rng.uniform(0.0155, 0.0175)
    base = heading(
        sheet, look, w / 2, h * rng.uniform(0.26, 0.29), w * rng.uniform(0.055, 0.068), "营业执照"
    )
    side = round(w * 0.085)
    sheet.image.paste(qr_code(rng, side, facts), (round(w * 0.76), round(h * 0.1)))
    pen = look.body(w * 0.0095)
    for n, text in enumerate(
        (
            "扫描二维码登录",
            "‘国家企业信用",
            "信息公示系统’",
            "了解更多登记、",
            "备案、许可、",
            "监管信息。",
        )
    ):
        sheet.text(w * 0.855, h * 0.115 + n * w * 0.0125, text, pen)
    code_block(sheet, look, facts, w * 0.1, h * 0.13)
    rows = {row.field or row.label: row for row in rows_of(facts, sheet)}
    left = [rows[key] for key in ("名称", "类型", "法定代表人", "经营范围")]
    right = [row for key, row in rows.items() if row not in left]
    top = base + h * 0.1
    step = h * rng.uniform(0.05, 0.06)
    label_width = size * (5.2 if facts.family != "partnership" else 7.2)
    entries(sheet, look, left, Column(w * 0.085, top, w * 0.53, label_width, step), size)
    entries(sheet, look, right, Column(w * 0.56, top, w * 0.93, label_width, step), size)
    authority(sheet, look, facts, w * 0.7, h * 0.83, size)
    small_print(sheet, look, facts)


def code_block(sheet: Sheet, look: Look, facts: Licence, x: float, y: float) -> None:
    """The label above, the code below it."""
    size = number_size(sheet)
    sheet.text(x, y, "统一社会信用代码", look.body(size))
    digits = look.digits(size)
    digits.spacing = min(digits.spacing, 0.1)
    sheet.text(
        x, y + size * sheet.rng.uniform(1.4, 1.8), facts.code, digits, field="统一社会信用代码"
    )


@licence(
    "licence_old_company",
    era="old",
    families=("company", "partnership", "cooperative"),
    ratio=(0.66, 0.76),
    weight=1.5,
)
def old_company(sheet: Sheet, facts: Licence, look: Look) -> None:
    """企业法人营业执照 before 2014: landscape, some entries side by side."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    paper_of(sheet, look)
    if rng.random() < 0.9:
        sheet.stamp(pictures.emblem(rng, round(w * rng.uniform(0.085, 0.115))), w / 2, h * 0.1)
    text = {"company": "企业法人营业执照", "partnership": "营业执照"}.get(
        facts.family, "农民专业合作社法人营业执照"
    )
    base = heading(
        sheet, look, w / 2, h * rng.uniform(0.25, 0.28), w * rng.uniform(0.04, 0.05), text
    )
    code_line(sheet, look, facts, w * rng.uniform(0.62, 0.75), base + h * 0.05)
    size = w * rng.uniform(0.0165, 0.019)
    rows = rows_of(facts, sheet)
    dates = [row for row in rows if row.field in ("成立日期", "营业期限")]
    body = [row for row in rows if row not in dates]
    column = Column(
        w * 0.1,
        base + h * 0.115,
        w * rng.uniform(0.82, 0.9),
        size * 7.2,
        h * rng.uniform(0.048, 0.054),
    )
    y = entries(sheet, look, body, column, size)
    low = Column(w * 0.1, max(y, h * 0.77), w * 0.6, size * 5, h * 0.05)
    entries(sheet, look, dates, low, size)
    authority(sheet, look, facts, w * 0.76, max(h * 0.82, min(y, h * 0.86)), size)
    if rng.random() < 0.4:
        bars = pictures.bar_code(rng, round(w * 0.14), round(h * 0.025))
        sheet.image.paste(bars, (round(w * 0.07), round(h * 0.93)))
    small_print(sheet, look, facts)


def _as_type(row: Row, sheet: Sheet) -> Row:
    """On a page without an entry 类型, the form of organisation is what a person enters as type."""
    if row.label != "组成形式":
        return row
    sheet.stated["类型"] = row.value
    return row._replace(field="类型")


@licence(
    "licence_old_individual", era="old", families=("individual",), ratio=(0.66, 0.76), weight=1.6
)
def old_individual(sheet: Sheet, facts: Licence, look: Look) -> None:
    """个体工商户营业执照 before 2014."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    paper_of(sheet, look)
    if rng.random() < 0.8:
        sheet.stamp(pictures.emblem(rng, round(w * rng.uniform(0.085, 0.115))), w / 2, h * 0.1)
    base = heading(
        sheet,
        look,
        w / 2,
        h * rng.uniform(0.25, 0.28),
        w * rng.uniform(0.042, 0.052),
        "个体工商户营业执照",
    )
    code_line(sheet, look, facts, w * rng.uniform(0.6, 0.75), base + h * 0.05)
    size = w * rng.uniform(0.018, 0.021)
    rows = rows_of(facts, sheet)
    if rng.random() >= 0.4:
        rows = [_as_type(row, sheet) for row in rows if row.field != "类型"]
    column = Column(w * 0.12, base + h * 0.13, w * 0.86, size * 6.1, h * rng.uniform(0.056, 0.066))
    entries(sheet, look, rows, column, size)
    authority(sheet, look, facts, w * 0.72, h * 0.82, size)
    small_print(sheet, look, facts)


@licence("licence_old_portrait", era="old", families=ALL, ratio=(1.36, 1.44), weight=1.1)
def old_portrait(sheet: Sheet, facts: Licence, look: Look) -> None:
    """Portrait copies of licences before 2014."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    paper_of(sheet, look)
    sheet.stamp(pictures.emblem(rng, round(w * rng.uniform(0.13, 0.17))), w / 2, h * 0.085)
    text = {"company": "企业法人营业执照", "individual": "个体工商户营业执照"}.get(
        facts.family, "营业执照"
    )
    size = w * (0.062 if len(text) > 4 else 0.09)
    base = heading(sheet, look, w / 2, h * rng.uniform(0.19, 0.21), size, text)
    code_line(sheet, look, facts, w * rng.uniform(0.55, 0.7), base + h * 0.04)
    size = w * rng.uniform(0.0215, 0.025)
    column = Column(w * 0.12, base + h * 0.1, w * 0.88, size * 7.2, h * rng.uniform(0.038, 0.044))
    entries(sheet, look, rows_of(facts, sheet), column, size)
    authority(sheet, look, facts, w * 0.64, h * 0.84, size)
    small_print(sheet, look, facts)

"""VAT invoices: 增值税专用发票, 增值税普通发票, electronic ones, and digital ones (数电票)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from random import Random

from ocr_moe.generation import payloads
from ocr_moe.generation.documents.invoices import Invoice, Party
from ocr_moe.generation.layouts import setting
from ocr_moe.generation.layouts.forms import filled, fitted, rule, ruled, spread, upright
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import pictures, seals
from ocr_moe.generation.sheet import Colour, Pen, Sheet

SCHEMA = "vat_invoice"
FINE = 1.3
"""Of a sheet 240 mm wide, scanned at 200 dots an inch; a form on A4 is as fine."""
INKS: tuple[Colour, ...] = (
    (150, 88, 40),
    (168, 60, 120),
    (40, 92, 150),
    (172, 100, 56),
    (60, 60, 64),
)
COLUMNS = (0.0, 0.258, 0.39, 0.448, 0.545, 0.642, 0.79, 0.845, 1.0)
"""Where the columns of the lines begin, in parts of the form's width; the last is its end."""
HEADINGS = ("项目名称", "规格型号", "单位", "数　量", "单　价", "金　额", "税率", "税　额")
FIELDS = (None,) * 5 + ("金额", None, "税额")


@dataclass
class Form:
    """The frame of an invoice and its two inks, in pixels of the page."""

    left: float
    right: float
    unit: float
    """A hundredth of the form's width: type sizes and distances are in it."""
    ink: Colour
    label: Pen
    value: Pen
    digits: Pen

    @property
    def width(self) -> float:
        return self.right - self.left

    def at(self, part: float) -> float:
        return self.left + part * self.width


def form_of(sheet: Sheet, look: Look, *, left: float, right: float, ink: Colour) -> Form:
    unit = (right - left) / 100
    label = Pen(sheet.rng.choice(sheet.book.of("kai", "song")), round(unit * 1.45), ink)
    value = Pen(look.fill_face, round(unit * 1.45), (24, 24, 28))
    digits = Pen(look.digit_face, round(unit * 1.45), (24, 24, 28))
    return Form(left, right, unit, ink, label, value, digits)


def symbol(sheet: Sheet, facts: Invoice, x: float, y: float, side: float) -> None:
    def content(_: Random) -> bytes:
        return payloads.of_invoice(facts)

    sheet.image.paste(pictures.qr_code(sheet.rng, round(side), content), (round(x), round(y)))


def tax_seal(sheet: Sheet, look: Look, facts: Invoice, x: float, y: float, width: float) -> None:
    """The oval seal of the tax office under the title."""
    text = f"全国统一发票监制章{facts.place}税务局"
    sheet.stamp(seals.oval_seal(sheet.book, look.title_face, sheet.rng, text, round(width)), x, y)


def seller_seal(sheet: Sheet, look: Look, facts: Invoice, x: float, y: float, width: float) -> None:
    text = f"{facts.seller.name[:10]}发票专用章"
    sheet.stamp(seals.oval_seal(sheet.book, look.title_face, sheet.rng, text, round(width)), x, y)


def labelled(
    sheet: Sheet,
    form: Form,
    label: str,
    value: str | None,
    x: float,
    y: float,
    *,
    field: str | None = None,
    wide: float = 0.0,
    room: float = 0.0,
    digits: bool = False,
) -> float:
    """A label, spread over a width where one is given, a colon, and the value; returns its end."""
    if wide:
        spread(sheet, label, x, y, wide, form.label)
        end = sheet.text(x + wide, y, "：", form.label)[2]
        start = x + wide + form.label.size * 0.9
    else:
        end = sheet.text(x, y, f"{label}：", form.label)[2]
        start = end + form.label.size * 0.35
    if not value:
        return end
    pen = form.digits if digits else form.value
    pen = fitted(sheet, value, pen, room) if room else pen
    return sheet.text(start, y, value, pen, field=field)[2]


def party(
    sheet: Sheet, form: Form, who: Party, side: str, box: tuple[float, float, float, float]
) -> None:
    """名称, number, address and bank, one below the other."""
    left, top, right, bottom = box
    step = (bottom - top) / 4
    wide = form.unit * 9.4
    rows = (
        ("名称", who.name, "名称", False),
        ("纳税人识别号", who.number, "识别号", True),
        ("地址、电话", who.address, "地址电话", False),
        ("开户行及账号", who.account, "开户行及账号", False),
    )
    for n, (label, value, name, digits) in enumerate(rows):
        y = top + (n + 0.68) * step
        room = right - left - wide - form.label.size * 1.4
        labelled(
            sheet, form, label, value, left, y,
            field=f"{side}{name}", wide=wide, room=room, digits=digits,
        )  # fmt: skip


def lines(
    sheet: Sheet,
    form: Form,
    facts: Invoice,
    box: tuple[float, float],
    headings: Sequence[str],
    *,
    ruled_columns: bool = True,
) -> None:
    """The lines between two heights, with the row of sums at their foot."""
    top, bottom = box
    if ruled_columns:
        inner = [form.at(part) for part in COLUMNS[1:-1]]
        ruled(sheet, form.ink, (form.left, top, form.right, bottom), inner)
    step = form.unit * 2.1
    y = top + step * 0.85
    for n, heading in enumerate(headings):
        middle = (form.at(COLUMNS[n]) + form.at(COLUMNS[n + 1])) / 2
        sheet.text(middle, y, heading, form.label, align="m")
    y += step
    for line in facts.lines:
        cells = (line.name, line.spec, line.unit, line.quantity, line.price, line.amount,
                 line.rate, line.tax)  # fmt: skip
        for n, cell in enumerate(cells):
            if not cell:
                continue
            x0, x1 = (
                form.at(COLUMNS[n]) + form.unit * 0.4,
                form.at(COLUMNS[n + 1]) - form.unit * 0.4,
            )
            pen = fitted(sheet, cell, form.value if n < 3 else form.digits, x1 - x0)
            align = "l" if n < 2 else "m" if n == 2 else "r"
            sheet.text({"l": x0, "m": (x0 + x1) / 2, "r": x1}[align], y, cell, pen, align=align)
        y += step
    foot = bottom - step * 0.45
    sheet.text(form.at(0.13), foot, "合　　　计", form.label, align="m")
    for n, text in ((5, facts.amount), (7, facts.tax)):
        end = form.at(COLUMNS[n + 1]) - form.unit * 0.4
        if text is None:
            sheet.text(end, foot, "***", form.digits, align="r")
            continue
        start = end - sheet.measure(text, form.digits)
        sheet.text(start, foot, text, form.digits, field=FIELDS[n])
        sheet.text(start, foot, "¥", form.digits, align="r")


def total(sheet: Sheet, form: Form, facts: Invoice, y: float, middle: float) -> None:
    """价税合计, in capitals and in figures, on one line."""
    sheet.text(form.at(0.13), y, "价税合计（大写）", form.label, align="m")
    size = form.label.size
    x, radius = form.at(middle) + size * 1.2, size * 0.55
    box = (x - radius, y - size * 0.36 - radius, x + radius, y - size * 0.36 + radius)
    sheet.draw.ellipse(box, outline=form.value.ink, width=2)
    rule(sheet, form.value.ink, (box[0] + 3, box[1] + 3), (box[2] - 3, box[3] - 3))
    rule(sheet, form.value.ink, (box[0] + 3, box[3] - 3), (box[2] - 3, box[1] + 3))
    pen = replace(form.value, size=round(form.value.size * 1.05))
    sheet.text(x + radius + size * 0.4, y, facts.capitals, pen, field="价税合计大写")
    end = sheet.text(form.at(0.74), y, "（小写）", form.label)[2]
    sheet.text(end + size * 0.3, y, "¥", form.digits)
    x = end + size * 0.3 + sheet.measure("¥", form.digits)
    sheet.text(x, y, facts.total, form.digits, field="价税合计")


def people(sheet: Sheet, form: Form, facts: Invoice, y: float) -> None:
    """Who took the money, who checked, who issued; and where the seal goes."""
    for label, value, x in (
        ("收款人", facts.payee, 0.03),
        ("复核", facts.reviewer, 0.29),
        ("开票人", facts.issuer, 0.5),
    ):
        labelled(sheet, form, label, value, form.at(x), y, field=label)
    sheet.text(form.at(0.72), y, "销售方：（章）", form.label)


def day_of(facts: Invoice) -> str:
    year, month, day = facts.issued.split("-")
    return f"{year}年{month}月{day}日"


def title(sheet: Sheet, form: Form, facts: Invoice, y: float) -> None:
    """What kind of invoice it is, before 2024 with the province before it."""
    place = "" if facts.edition == "digital" else facts.place
    face = sheet.rng.choice(sheet.book.of("kai", "song"))
    pen = Pen(face, round(form.unit * 3.1), form.ink, 0.06)
    x = form.at(0.5) - sheet.measure(place + facts.type, pen) / 2
    sheet.text(x, y, place, pen)
    sheet.text(x + sheet.measure(place, pen), y, facts.type, pen, field="发票类型")


def body(
    sheet: Sheet,
    form: Form,
    facts: Invoice,
    top: float,
    *,
    words: tuple[str, str] = ("购买方", "销售方"),
    headings: Sequence[str] = HEADINGS,
) -> float:
    """Buyer, lines, total and seller of an invoice of before 2024; returns the lower edge."""
    u = form.unit
    rail, cipher = form.at(0.035), form.at(0.572)
    steps = (10.6, 21.5 - sheet.rng.random() * 3, 3.9, 9.6)
    edges = list(accumulate((u * step for step in steps), initial=top))
    block = (form.left, edges[0], form.right, edges[1])
    ruled(sheet, form.ink, block, (rail, cipher, cipher + u * 2.6))
    upright(sheet, words[0], (form.left + rail) / 2, (edges[0] + u, edges[1] - u), form.label)
    box = (rail + u * 0.5, edges[0], cipher - u * 0.3, edges[1])
    party(sheet, form, facts.buyer, "购买方", box)
    upright(sheet, "密码区", cipher + u * 1.3, (edges[0] + u, edges[1] - u), form.label)
    mono = Pen(sheet.rng.choice(sheet.book.of("mono")), round(u * 1.6), (24, 24, 28))
    for n, row in enumerate(facts.cipher):
        pen = fitted(sheet, row, mono, form.right - cipher - u * 4)
        sheet.text(cipher + u * 3.4, edges[0] + (n + 0.9) * u * 2.4, row, pen)
    lines(sheet, form, facts, (edges[1], edges[2]), headings)
    ruled(sheet, form.ink, (form.left, edges[2], form.right, edges[3]), (form.at(COLUMNS[1]),))
    total(sheet, form, facts, (edges[2] + edges[3]) / 2 + u * 0.5, COLUMNS[1])
    ruled(
        sheet,
        form.ink,
        (form.left, edges[3], form.right, edges[4]),
        (rail, cipher, cipher + u * 2.6),
    )
    upright(sheet, words[1], (form.left + rail) / 2, (edges[3] + u, edges[4] - u), form.label)
    box = (rail + u * 0.5, edges[3], cipher - u * 0.3, edges[4])
    party(sheet, form, facts.seller, "销售方", box)
    upright(sheet, "备注", cipher + u * 1.3, (edges[3] + u, edges[4] - u), form.label)
    if facts.remark:
        sheet.text(cipher + u * 3.6, edges[3] + u * 2, facts.remark, form.value)
    people(sheet, form, facts, edges[4] + u * 2.2)
    return edges[4] + u * 2.2


def _of(edition: str) -> Callable[[Invoice], bool]:
    return lambda facts: facts.edition == edition


@setting(
    "vat_electronic",
    Invoice,
    schema=SCHEMA,
    ratio=(0.64, 0.67),
    suits=_of("electronic"),
    scale=FINE,
)
def electronic(sheet: Sheet, facts: Invoice, look: Look) -> None:
    """电子普通发票 as it is downloaded: code, number, date and check code at the right of the title."""
    rng, w = sheet.rng, sheet.width
    form = form_of(sheet, look, left=w * 0.025, right=w * 0.975, ink=rng.choice(INKS))
    u = form.unit
    symbol(sheet, facts, form.left + u, u * 2.2, u * 9.6)
    labelled(sheet, form, "机器编号", facts.machine, form.left + u * 0.5, u * 14,
             field="机器编号", digits=True)  # fmt: skip
    title(sheet, form, facts, u * 6.2)
    for y in (8.3, 8.8):
        rule(sheet, form.ink, (form.at(0.33), u * y), (form.at(0.67), u * y))
    tax_seal(sheet, look, facts, form.at(0.5), u * rng.uniform(8.2, 9.6), u * 13)
    grouped = " ".join(facts.check[n : n + 5] for n in range(0, 20, 5))
    entries = (
        ("发票代码", facts.code, "发票代码"),
        ("发票号码", facts.number, "发票号码"),
        ("开票日期", day_of(facts), "开票日期"),
        ("校验码", grouped if facts.check else "", "校验码"),
    )
    for n, (label, value, name) in enumerate(entries):
        if value:
            y = u * (3.6 + n * 2.85)
            labelled(sheet, form, label, value, form.at(0.715), y, field=name, wide=u * 5.8,
                     room=form.right - form.at(0.715) - u * 7.2, digits=True)  # fmt: skip
    first = rng.choice(("项目名称", "货物或应税劳务、服务名称"))
    last = body(sheet, form, facts, u * 15.2, headings=(first, *HEADINGS[1:]))
    if rng.random() < 0.8:
        seller_seal(sheet, look, facts, form.at(rng.uniform(0.84, 0.9)), last - u, u * 14)


def paper_head(sheet: Sheet, look: Look, form: Form, facts: Invoice, y: float) -> None:
    """The head of a paper invoice: the code at the left, №, number and date at the right."""
    rng, u = sheet.rng, form.unit
    big = replace(form.digits, size=round(u * 2.3))
    sheet.text(form.at(0.13), y + u * 4.4, facts.code, big, field="发票代码")
    title(sheet, form, facts, y + u * 4.6)
    for below in (5.9, 6.4):
        rule(sheet, form.ink, (form.at(0.34), y + u * below), (form.at(0.66), y + u * below))
    tax_seal(sheet, look, facts, form.at(0.5), y + u * 7.2, u * 12)
    serif = Pen(rng.choice(sheet.book.of("serif")), round(u * 2.8), form.ink)
    end = sheet.text(form.at(0.72), y + u * 4.6, rng.choice(("№", "No", "№")), serif)[2]
    sheet.text(
        end + u, y + u * 4.6, facts.number, replace(serif, size=round(u * 2.6)), field="发票号码"
    )
    small = replace(form.digits, size=round(u * 1.2))
    sheet.text(form.right, y + u * 3.2, facts.code, small, align="r", field="发票代码")
    sheet.text(form.right, y + u * 5, facts.number, small, align="r", field="发票号码")
    labelled(sheet, form, "开票日期", day_of(facts), form.at(0.76), y + u * 8.2, field="开票日期")
    symbol(sheet, facts, form.left, y + u * 0.6, u * 8.4)
    if facts.check:
        grouped = " ".join(facts.check[n : n + 5] for n in range(0, 20, 5))
        labelled(
            sheet, form, "校验码", grouped, form.at(0.11), y + u * 8.2, field="校验码", digits=True
        )


@setting("vat_paper", Invoice, schema=SCHEMA, ratio=(0.6, 0.64), suits=_of("paper"), scale=FINE)
def paper(sheet: Sheet, facts: Invoice, look: Look) -> None:
    """A printed form that a printer filled in, with the name of the copy up its right edge."""
    rng, w = sheet.rng, sheet.width
    form = form_of(sheet, look, left=w * 0.035, right=w * 0.94, ink=rng.choice(INKS))
    u = form.unit
    paper_head(sheet, look, form, facts, u * 0.6)
    if rng.random() < 0.6:
        labelled(sheet, form, "机器编号", facts.machine, form.at(0.11), u * 11.2,
             field="机器编号", digits=True)  # fmt: skip
    words = rng.choice((("购买方", "销售方"), ("购买方", "销售方"), ("购货单位", "销货单位")))
    first = "货物或应税劳务、服务名称" if rng.random() < 0.7 else "货物或应税劳务名称"
    last = body(sheet, form, facts, u * 12, words=words, headings=(first, *HEADINGS[1:]))
    copy = rng.choice(
        (
            "第二联：发票联　购买方记账凭证",
            "第三联：发票联　购买方记账凭证",
            "第一联：记账联　销售方记账凭证",
        )
    )
    pen = replace(form.label, size=round(u * 1.25))
    upright(sheet, copy, (form.right + w) / 2, (u * 14, u * 44), pen)
    if rng.random() < 0.85:
        seller_seal(sheet, look, facts, form.at(rng.uniform(0.8, 0.9)), last - u * 2, u * 13)


def digital_party(
    sheet: Sheet, form: Form, who: Party, side: str, box: tuple[float, float, float, float]
) -> None:
    """A party of a digital invoice: its heading up the left, a name and a number."""
    left, top, right, bottom = box
    u = form.unit
    rail = left + u * 2.6
    rule(sheet, form.ink, (rail, top), (rail, bottom))
    upright(sheet, f"{side}信息", (left + rail) / 2, (top + u * 0.2, bottom - u * 0.2), form.label)
    room = right - rail - u * 6
    labelled(sheet, form, "名称", who.name, rail + u * 0.6, top + (bottom - top) * 0.36,
             field=f"{side}名称", room=room)  # fmt: skip
    label = "统一社会信用代码/纳税人识别号"
    used = sheet.measure(f"{label}：", form.label)
    labelled(sheet, form, label, who.number, rail + u * 0.6, top + (bottom - top) * 0.82,
             field=f"{side}识别号", room=right - rail - u * 1.6 - used, digits=True)  # fmt: skip


def digital_body(sheet: Sheet, form: Form, facts: Invoice, top: float) -> float:
    rng, u = sheet.rng, form.unit
    steps = (8.2, 19 + rng.random() * 4, 3.8, 6.5)
    edges = list(accumulate((u * step for step in steps), initial=top))
    half = form.at(0.5)
    ruled(sheet, form.ink, (form.left, edges[0], form.right, edges[1]), (half,))
    digital_party(sheet, form, facts.buyer, "购买方", (form.left, edges[0], half, edges[1]))
    digital_party(sheet, form, facts.seller, "销售方", (half, edges[0], form.right, edges[1]))
    sheet.draw.rectangle((form.left, edges[1], form.right, edges[2]), outline=form.ink, width=2)
    headings = (*HEADINGS[:3], "数 量", "单 价", "金 额", "税率/征收率", "税 额")
    lines(sheet, form, facts, (edges[1], edges[2]), headings, ruled_columns=False)
    ruled(sheet, form.ink, (form.left, edges[2], form.right, edges[3]), (form.at(COLUMNS[1]),))
    total(sheet, form, facts, (edges[2] + edges[3]) / 2 + u * 0.5, COLUMNS[1])
    ruled(sheet, form.ink, (form.left, edges[3], form.right, edges[4]), (form.left + u * 2.6,))
    upright(sheet, "备注", form.left + u * 1.3, (edges[3] + u, edges[4] - u), form.label)
    if facts.remark:
        sheet.text(form.left + u * 3.4, edges[3] + u * 2.2, facts.remark, form.value)
    labelled(sheet, form, "开票人", facts.issuer, form.at(0.07), edges[4] + u * 2.4, field="开票人")
    return edges[4] + u * 2.4


def digital_head(sheet: Sheet, look: Look, form: Form, facts: Invoice, y: float) -> None:
    u = form.unit
    symbol(sheet, facts, form.left + u, y + u, u * 8)
    if sheet.rng.random() < 0.5:
        sheet.text(
            form.left + u * 10, y + u * 5, "国家税务总局", replace(form.label, size=round(u * 1.1))
        )
    title(sheet, form, facts, y + u * 5)
    for below in (6.4, 6.9):
        rule(sheet, form.ink, (form.at(0.34), y + u * below), (form.at(0.66), y + u * below))
    tax_seal(sheet, look, facts, form.at(0.5), y + u * 6.6, u * 11)
    for n, (label, value) in enumerate((("发票号码", facts.number), ("开票日期", day_of(facts)))):
        labelled(sheet, form, label, value, form.at(0.715), y + u * (4.2 + n * 2.7), field=label,
                 room=form.right - form.at(0.715) - u * 8, digits=True)  # fmt: skip


@setting(
    "vat_digital", Invoice, schema=SCHEMA, ratio=(0.62, 0.65), suits=_of("digital"), scale=FINE
)
def digital(sheet: Sheet, facts: Invoice, look: Look) -> None:
    """电子发票 of today: buyer and seller side by side, no code, a number of 20 digits."""
    w = sheet.width
    form = form_of(sheet, look, left=w * 0.03, right=w * 0.97, ink=sheet.rng.choice(INKS))
    digital_head(sheet, look, form, facts, form.unit)
    digital_body(sheet, form, facts, form.unit * 12)


@setting(
    "heldout_vat_digital_page",
    Invoice,
    schema=SCHEMA,
    ratio=(1.38, 1.43),
    suits=_of("digital"),
    heldout=True,
    scale=FINE,
)
def digital_page(sheet: Sheet, facts: Invoice, look: Look) -> None:
    """A digital invoice printed on the upper half of a page, with notes on how it was paid below."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    form = form_of(sheet, look, left=w * 0.07, right=w * 0.93, ink=(60, 60, 64))
    u = form.unit
    top = u * rng.uniform(5, 9)
    digital_head(sheet, look, form, facts, top)
    last = digital_body(sheet, form, facts, top + u * 11)
    sheet.text(form.right, last, f"下载次数：{rng.randint(1, 3)}", form.label, align="r")
    y = last + u * 10
    rule(sheet, (120, 120, 120), (form.left, y), (form.right, y))
    for n, text in enumerate(
        ("报销单位：　　　　　　　部门主管：", "经办人：　　　　　　　　报销日期：")
    ):
        sheet.text(form.left + u, y + u * (4 + 4 * n), text, form.value)
    if rng.random() < 0.5:
        layer = pictures.signature(rng, round(u * 9), round(u * 4))
        sheet.stamp(layer, form.at(0.6), min(y + u * 4, h - u * 8))


@setting(
    "heldout_vat_copy",
    Invoice,
    schema=SCHEMA,
    ratio=(1.38, 1.43),
    suits=lambda facts: facts.edition == "paper",
    heldout=True,
    scale=FINE,
)
def copy(sheet: Sheet, facts: Invoice, look: Look) -> None:
    """The grey copy of a paper invoice on a page, with 复印件与原件一致 stamped below."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    ink: Colour = (90, 90, 92)
    form = form_of(sheet, look, left=w * 0.05, right=w * 0.9, ink=ink)
    u = form.unit
    top = h * rng.uniform(0.08, 0.3)
    paper_head(sheet, look, form, facts, top)
    last = body(
        sheet, form, facts, top + u * 11.4,
        words=("购货单位", "销货单位"),
        headings=("货物或应税劳务名称", *HEADINGS[1:]),
    )  # fmt: skip
    text = rng.choice(("复印件与原件一致", "本复印件与原件核对无异"))
    layer = seals.oval_seal(sheet.book, look.title_face, rng, text, round(u * 20))
    sheet.stamp(layer, form.at(0.7), last + u * 12)


@setting(
    "heldout_vat_electronic_plain",
    Invoice,
    schema=SCHEMA,
    ratio=(0.66, 0.7),
    suits=_of("electronic"),
    heldout=True,
    scale=FINE,
)
def electronic_plain(sheet: Sheet, facts: Invoice, look: Look) -> None:
    """An electronic invoice whose entries stand in one row under the title, all in one face."""
    w = sheet.width
    form = form_of(sheet, look, left=w * 0.03, right=w * 0.97, ink=(40, 40, 44))
    form.label = replace(form.value, size=form.label.size)
    u = form.unit
    title(sheet, form, facts, u * 5)
    symbol(sheet, facts, form.right - u * 9, u * 0.8, u * 8)
    grouped = " ".join(facts.check[n : n + 5] for n in range(0, 20, 5))
    first = (("发票代码", facts.code), ("发票号码", facts.number), ("开票日期", day_of(facts)))
    for n, (label, value) in enumerate(first):
        labelled(
            sheet, form, label, value, form.at(0.01 + 0.27 * n), u * 9.6, field=label, digits=True
        )
    second = (("机器编号", facts.machine), ("校验码", grouped if facts.check else ""))
    for n, (label, value) in enumerate(second):
        if value:
            labelled(sheet, form, label, value, form.at(0.01 + 0.27 * n), u * 12.6,
                     field=label, digits=True)  # fmt: skip
    last = body(sheet, form, facts, u * 14)
    filled(
        sheet, "本发票由系统开具，下载打印有效。", form.label, (form.left, last + u * 3, form.right)
    )

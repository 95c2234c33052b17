"""Award certificates: 荣誉证书, 获奖证书, 奖状."""

from __future__ import annotations

from ocr_moe.generation.documents.awards import Award
from ocr_moe.generation.layouts import setting
from ocr_moe.generation.layouts.forms import fitted
from ocr_moe.generation.layouts.heldout import band
from ocr_moe.generation.layouts.pieces import fill_in, office_seal, prose
from ocr_moe.generation.lexicons import awards
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import paper, pictures
from ocr_moe.generation.sheet import Colour, Pen, Sheet, TextRun

SCHEMA = "award_certificate"
REDS: tuple[Colour, ...] = ((190, 24, 30), (172, 20, 28), (200, 40, 34))
GOLDS: tuple[Colour, ...] = ((160, 116, 30), (186, 140, 52), (140, 96, 24))
TITLES = ("荣誉证书", "荣誉证书", "获奖证书", "证书")


def background(sheet: Sheet, colour: Colour) -> None:
    """A pattern on the paper more often than not, and a border."""
    rng = sheet.rng
    if rng.random() < 0.5:
        sheet.image.paste(paper.guilloche(rng, sheet.image, colour, rng.uniform(0.04, 0.14)))
    sheet.inset = paper.frame(rng, sheet.image, colour, rng.uniform(0.025, 0.045))


def runs_of(sheet: Sheet, facts: Award, look: Look, group: str = "") -> list[TextRun]:
    """The text of the certificate, in runs."""
    rng = sheet.rng
    text = rng.choice(awards().wordings[group + facts.sort])
    text = text.replace("{closing}", rng.choice(awards().closings)).rstrip("　\n，")
    values = {
        "name": TextRun(facts.name, "姓名", filled=True),
        "school": TextRun(facts.school, filled=True),
        "event": TextRun(facts.event, "活动名称"),
        "award": TextRun(facts.award, "奖项", filled=rng.random() < 0.5),
        "work": TextRun(facts.work, "作品名称", filled=True),
        "advisor": TextRun(facts.advisor, "指导教师", filled=True),
        "term": TextRun(facts.term),
        "day": TextRun(look.dates.write(facts.held)),
    }
    text = text.replace("{who}", "{name}" + facts.title)
    return fill_in(text, values, rng.choice(("", "", "", " ")))


def level(sheet: Sheet, facts: Award) -> None:
    """The level stands wherever the award does."""
    box = sheet.box_of("奖项")
    if box is not None:
        sheet.marks.append(("获奖等级", box))


def foot(
    sheet: Sheet, look: Look, facts: Award, x: float, y: float, size: float, *, align: str = "m"
) -> None:
    """Who awards it and when, with the seal over both."""
    rng = sheet.rng
    pen = fitted(sheet, facts.issuer, look.body(size), sheet.width * 0.5)
    box = sheet.text(x, y, facts.issuer, pen, field="颁发单位", align=align)
    left, right = sheet.inset + size, sheet.width - sheet.inset - size
    middle = min(max((box[0] + box[2]) / 2, left), right)
    below = y + size * rng.uniform(1.7, 2.1)
    when = look.foot_dates.write(facts.issued)
    sheet.text(middle, below, when, look.body(size), field="颁发日期", align="m")
    if rng.random() < 0.85:
        office_seal(
            sheet, look, facts.issuer[-14:], middle + size * rng.uniform(-2, 2), y + size * 0.6
        )


def number(sheet: Sheet, look: Look, facts: Award, x: float, y: float, *, align: str = "l") -> None:
    if not facts.number:
        return
    label = sheet.rng.choice(("证书编号：", "编号：", "NO.", "证书编号:", "No："))
    size = sheet.width * 0.016
    digits = look.digits(size)
    digits.spacing = 0.0
    form = look.body(size)
    total = sheet.measure(label, form) + sheet.measure(facts.number, digits) + size * 0.3
    x -= total if align == "r" else 0.0
    sheet.text(x, y, label, form)
    sheet.text(
        x + sheet.measure(label, form) + size * 0.3, y, facts.number, digits, field="证书编号"
    )


@setting("award_landscape", Award, schema=SCHEMA, ratio=(0.66, 0.74))
def landscape(sheet: Sheet, facts: Award, look: Look) -> None:
    """A red title over the text, name and date at the right below."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, rng.choice((*REDS, *GOLDS)))
    pen = look.title(w * rng.uniform(0.055, 0.08), spacing=rng.uniform(0.1, 0.6))
    pen.ink = rng.choice((*REDS, *GOLDS))
    pen.bold = rng.random() < 0.5
    sheet.text(w / 2, h * rng.uniform(0.22, 0.26), rng.choice(TITLES), pen, align="m")
    size = w * rng.uniform(0.026, 0.032)
    runs = runs_of(sheet, facts, look)
    left = w * rng.uniform(0.12, 0.15)
    last = prose(sheet, look, runs, (left, h * 0.38, w - left), size, size * 1.9, limit=h * 0.66)
    level(sheet, facts)
    foot(sheet, look, facts, w * 0.7, max(last + size * 2.4, h * 0.73), size)
    top = rng.random() < 0.4
    number(sheet, look, facts, w * (0.9 if top else 0.12), h * (0.12 if top else 0.88),
           align="r" if top else "l")  # fmt: skip


@setting("award_diploma", Award, schema=SCHEMA, ratio=(0.68, 0.76), weight=0.7)
def diploma(sheet: Sheet, facts: Award, look: Look) -> None:
    """奖状: yellow paper, red frame, a star above the title."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    sheet.image.paste(paper.blank(rng, sheet.image.size, (253, 244, 206)))
    background(sheet, rng.choice(REDS))
    side = round(w * 0.09)
    sheet.stamp(pictures.emblem(rng, side), w / 2, h * 0.09 + side / 2)
    pen = look.title(w * rng.uniform(0.075, 0.1), spacing=rng.uniform(0.4, 0.9))
    pen.ink = rng.choice(REDS)
    sheet.text(w / 2, h * 0.33, "奖状", pen, align="m")
    size = w * rng.uniform(0.027, 0.033)
    runs = runs_of(sheet, facts, look)
    last = prose(sheet, look, runs, (w * 0.13, h * 0.44, w * 0.87), size, size * 1.8, limit=h * 0.7)
    level(sheet, facts)
    foot(sheet, look, facts, w * 0.68, max(last + size * 2.2, h * 0.76), size)
    number(sheet, look, facts, w * 0.12, h * 0.9)


@setting(
    "award_competition",
    Award,
    schema=SCHEMA,
    ratio=(0.68, 0.74),
    suits=lambda facts: facts.sort == "competition",
    weight=0.8,
)
def competition(sheet: Sheet, facts: Award, look: Look) -> None:
    """A certificate of a competition: its name as the heading, entries in rows, the prize large."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, rng.choice((*GOLDS, (40, 80, 150))))
    pen = fitted(sheet, facts.event, look.title(w * 0.036), w * 0.76)
    sheet.text(w / 2, h * 0.19, facts.event, pen, align="m", field="活动名称")
    title = look.title(w * 0.06, spacing=0.4)
    title.ink = rng.choice(REDS)
    sheet.text(w / 2, h * 0.31, rng.choice(("获奖证书", "获奖证书", "荣誉证书")), title, align="m")
    size = w * rng.uniform(0.022, 0.025)
    entries = [
        (rng.choice(("获奖者", "获奖人", "参赛选手", "姓名")), facts.name, "姓名"),
        (rng.choice(("所在学校", "参赛学校", "单位")), facts.school, None),
        ("作品名称", facts.work, "作品名称"),
        (rng.choice(("指导教师", "指导老师")), facts.advisor, "指导教师"),
        (rng.choice(("获奖等级", "奖项", "获奖级别", "所获奖项")), facts.award, "奖项"),
    ]
    colon = rng.choice(("：", ":", "："))
    for n, (label, value, name) in enumerate(entries):
        y = h * 0.42 + n * size * 1.9
        end = sheet.text(w * 0.2, y, label + colon, look.body(size))[2]
        sheet.text(end + size * 0.4, y, value, look.fill(size), field=name)
    level(sheet, facts)
    foot(sheet, look, facts, w * 0.7, h * 0.8, size * 1.05)
    number(sheet, look, facts, w * 0.12, h * 0.9)


@setting("award_portrait", Award, schema=SCHEMA, ratio=(1.36, 1.44), weight=0.6)
def portrait(sheet: Sheet, facts: Award, look: Look) -> None:
    """An upright page, the title high, all in the middle."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, rng.choice((*REDS, *GOLDS)))
    pen = look.title(w * 0.09, spacing=0.3)
    pen.ink = rng.choice((*REDS, *GOLDS))
    sheet.text(w / 2, h * 0.22, rng.choice(TITLES), pen, align="m")
    size = w * rng.uniform(0.034, 0.038)
    runs = runs_of(sheet, facts, look)
    last = prose(sheet, look, runs, (w * 0.14, h * 0.34, w * 0.86), size, size * 2, limit=h * 0.66)
    level(sheet, facts)
    foot(sheet, look, facts, w * 0.64, max(last + size * 3, h * 0.74), size)
    number(sheet, look, facts, w * 0.14, h * 0.92)


@setting("heldout_award_folder", Award, schema=SCHEMA, ratio=(0.62, 0.7), heldout=True)
def folder(sheet: Sheet, facts: Award, look: Look) -> None:
    """An open folder: an emblem and 荣誉证书 on the left leaf, the text on the right one."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    band(sheet, rng.choice(((168, 24, 32), (40, 60, 120))), (0, 0, w * 0.44, h))
    gold: Colour = (232, 196, 96)
    title = Pen(look.title_face, round(w * 0.055), gold, 0.3)
    sheet.text(w * 0.22, h * 0.5, "荣誉证书", title, align="m")
    latin = Pen(look.latin_face, round(w * 0.018), gold)
    sheet.text(w * 0.22, h * 0.58, "HONORARY CREDENTIAL", latin, align="m")
    size = w * rng.uniform(0.018, 0.021)
    runs = runs_of(sheet, facts, look, "heldout_")
    last = prose(sheet, look, runs, (w * 0.5, h * 0.26, w * 0.94), size, size * 2.2, limit=h * 0.64)
    level(sheet, facts)
    pen = fitted(sheet, facts.issuer, look.body(size), w * 0.34)
    y = max(last + size * 3, h * 0.72)
    box = sheet.text(w * 0.92, y, facts.issuer, pen, field="颁发单位", align="r")
    when = look.foot_dates.write(facts.issued)
    sheet.text(w * 0.92, y + size * 2, when, look.body(size), field="颁发日期", align="r")
    office_seal(sheet, look, facts.issuer[-14:], (box[0] + box[2]) / 2, y, size=w * 0.1)
    number(sheet, look, facts, w * 0.5, h * 0.94)


@setting("heldout_award_modern", Award, schema=SCHEMA, ratio=(0.6, 0.68), heldout=True)
def modern(sheet: Sheet, facts: Award, look: Look) -> None:
    """All flush left beside a coloured band; the title in two languages, issuer and date in a row."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    colour = rng.choice(((30, 60, 120), (150, 30, 36), (24, 100, 90)))
    band(sheet, colour, (0, 0, w * 0.05, h))
    face = rng.choice(sheet.book.of("hei", "heibold"))
    sheet.text(
        w * 0.12, h * 0.2, rng.choice(("获奖证书", "荣誉证书")), Pen(face, round(w * 0.055), colour)
    )
    latin = Pen(look.latin_face, round(w * 0.022), colour)
    sheet.text(w * 0.12, h * 0.27, "CERTIFICATE OF AWARD", latin)
    size = w * rng.uniform(0.022, 0.026)
    runs = runs_of(sheet, facts, look, "heldout_")
    last = prose(sheet, look, runs, (w * 0.12, h * 0.4, w * 0.86), size, size * 1.9, limit=h * 0.68)
    level(sheet, facts)
    y = max(last + size * 3.4, h * 0.82)
    box = sheet.text(w * 0.12, y, "颁发单位：", look.body(size))
    room = w * 0.42 - sheet.measure("颁发单位：", look.body(size))
    pen = fitted(sheet, facts.issuer, look.fill(size), room)
    sheet.text(box[2] + size * 0.3, y, facts.issuer, pen, field="颁发单位")
    end = sheet.text(w * 0.6, y, rng.choice(("颁发日期：", "日期：")), look.body(size))[2]
    sheet.text(
        end + size * 0.3, y, look.foot_dates.write(facts.issued), look.fill(size), field="颁发日期"
    )
    if rng.random() < 0.6:
        office_seal(sheet, look, facts.issuer[-14:], w * 0.46, y)
    number(sheet, look, facts, w * 0.94, h * 0.1, align="r")

"""Degree certificates, 学位证书."""

from __future__ import annotations

from ocr_moe.generation.documents.graduates import DEGREE_SUFFIX, Graduate
from ocr_moe.generation.layouts import certificate
from ocr_moe.generation.layouts.diplomas import english_half, fold, foot, head
from ocr_moe.generation.layouts.pieces import (
    background,
    number_line,
    photo,
    printed,
    prose,
    wording,
)
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import paper, pictures
from ocr_moe.generation.sheet import Sheet


def title_of(sheet: Sheet, facts: Graduate) -> str:
    """学士学位证书, or the same without the level."""
    suffix = DEGREE_SUFFIX[facts.level]
    adult = "成人高等教育" if facts.form == "adult" else ""
    return sheet.rng.choice((f"{adult}{suffix}学位证书", f"{suffix}学位证书", "学位证书"))


@certificate("degree_prose", kind="degree", ratio=(0.66, 0.75), weight=1.4)
def prose_page(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """One landscape page with running text; the photograph stands at the left, or none does."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look)
    size = w * rng.uniform(0.022, 0.027)
    left, right = w * rng.uniform(0.09, 0.12), w * rng.uniform(0.88, 0.91)
    pen = look.title(w * rng.uniform(0.042, 0.056), spacing=rng.choice((0.1, 0.3, 0.5)))
    sheet.text(w / 2, h * rng.uniform(0.17, 0.21), title_of(sheet, facts), pen, align="m")
    text_left = left
    if rng.random() < 0.55:
        photo(sheet, look, facts, left, h * rng.uniform(0.27, 0.32), w * 0.12)
        text_left = left + w * 0.155
    leading = size * rng.uniform(1.8, 2.2)
    last = prose(
        sheet,
        look,
        wording(sheet, facts, look),
        (text_left, h * 0.34, right),
        size,
        leading,
        limit=h * 0.64,
    )
    y = max(last + leading * 1.2, h * 0.68)
    edge = head(sheet, look, facts, text_left, y, size)
    foot(sheet, look, facts, right, y + leading * rng.choice((0, 0.8)), size, edge)
    if rng.random() < 0.6:
        number_line(sheet, look, facts, left, h * rng.uniform(0.9, 0.935))
    else:
        number_line(sheet, look, facts, right, h * rng.uniform(0.9, 0.935), align="r")


@certificate("degree_spread", kind="degree", ratio=(0.66, 0.72), weight=1.2)
def spread(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """An open booklet: photograph left, text right, the number under either."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look, framed=False)
    half = w // 2
    page = sheet.image.crop((half, 0, w, h))
    paper.frame(rng, page, look.accent, 0.045)
    sheet.image.paste(page, (half, 0))
    fold(sheet, half)
    wide = w * rng.uniform(0.12, 0.15)
    if rng.random() < 0.4:
        badge = pictures.emblem(rng, round(w * 0.07))
        sheet.stamp(badge, half / 2, h * 0.17)
    lower = photo(sheet, look, facts, half / 2 - wide / 2, h * rng.uniform(0.28, 0.34), wide)
    size = w * rng.uniform(0.0195, 0.0225)
    left, right = half + w * 0.05, w * 0.95
    pen = look.title(w * rng.uniform(0.032, 0.04), spacing=rng.choice((0.1, 0.4)))
    sheet.text((left + right) / 2, h * 0.19, title_of(sheet, facts), pen, align="m")
    leading = size * rng.uniform(1.8, 2.2)
    last = prose(
        sheet,
        look,
        wording(sheet, facts, look),
        (left, h * 0.32, right),
        size,
        leading,
        limit=h * 0.64,
    )
    y = max(last + leading * 1.2, h * 0.66)
    edge = head(sheet, look, facts, left, y, size)
    foot(sheet, look, facts, right, y + leading, size, edge)
    if rng.random() < 0.5:
        number_line(sheet, look, facts, half / 2, lower + h * 0.12, align="m")
    else:
        number_line(sheet, look, facts, left, h * 0.91)


@certificate("degree_portrait", kind="degree", ratio=(1.36, 1.44))
def portrait_page(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """A portrait page with an emblem above the title."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look)
    size = w * rng.uniform(0.029, 0.034)
    left, right = w * 0.12, w * 0.88
    if rng.random() < 0.6:
        sheet.stamp(pictures.emblem(rng, round(w * 0.13)), w / 2, h * 0.13)
    pen = look.title(w * rng.uniform(0.06, 0.075), spacing=0.2)
    sheet.text(w / 2, h * 0.26, title_of(sheet, facts), pen, align="m")
    leading = size * rng.uniform(2.0, 2.4)
    last = prose(
        sheet,
        look,
        wording(sheet, facts, look),
        (left, h * 0.36, right),
        size,
        leading,
        limit=h * 0.68,
    )
    y = max(last + leading * 1.4, h * 0.7)
    edge = head(sheet, look, facts, left, y, size)
    foot(sheet, look, facts, right, y + leading, size, edge)
    if rng.random() < 0.6:
        number_line(sheet, look, facts, left, h * 0.935)
    else:
        number_line(sheet, look, facts, right, h * 0.075, align="r")


@certificate("degree_bilingual", kind="degree", ratio=(0.66, 0.72), forms=("regular", "graduate"))
def bilingual(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """Chinese left, English right."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look)
    fold(sheet, w // 2)
    size = w * rng.uniform(0.018, 0.0205)
    left, right = w * 0.065, w * 0.46
    pen = look.title(w * rng.uniform(0.03, 0.036), spacing=0.15)
    sheet.text((left + right) / 2, h * 0.2, title_of(sheet, facts), pen, align="m")
    leading = size * rng.uniform(1.8, 2.2)
    last = prose(
        sheet,
        look,
        wording(sheet, facts, look),
        (left, h * 0.32, right),
        size,
        leading,
        limit=h * 0.64,
    )
    y = max(last + leading, h * 0.66)
    edge = head(sheet, look, facts, left, y, size)
    foot(sheet, look, facts, right, y + leading, size, edge)
    number_line(sheet, look, facts, left, h * 0.915)
    english_half(sheet, facts, look, (w * 0.545, w * 0.94), size)


@certificate("degree_lines", kind="degree", ratio=(0.68, 0.76), weight=0.7)
def lines(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """Centred short lines, each with one fact, the name in large type."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look)
    values = printed(facts, look)
    number_high = rng.random() < 0.5
    if number_high:
        number_line(sheet, look, facts, w * 0.93, h * 0.09, align="r")
    sheet.text(w / 2, h * 0.2, facts.school, look.title(w * 0.036), align="m", field="毕业院校")
    sheet.text(
        w / 2, h * 0.29, title_of(sheet, facts), look.title(w * 0.04, spacing=0.3), align="m"
    )
    big = look.fill(w * 0.034, spacing=0.2)
    sheet.text(w / 2, h * 0.39, facts.person.name, big, align="m", field="姓名")
    size = w * rng.uniform(0.021, 0.024)
    small = look.body(size)
    pen = look.fill(size)
    for y, parts in (
        (0.46, (values["sex"], None, values["birth"])),
        (0.53, (values["major"], "专业")),
        (0.60, ("经审核，符合《中华人民共和国学位条例》的规定",)),
        (0.67, ("授予", values["degree"], "学位")),
    ):
        texts = [part if isinstance(part, str) else (part.text if part else "　") for part in parts]
        total = sum(sheet.measure(text, small) for text in texts)
        x = w / 2 - total / 2
        for part, text in zip(parts, texts, strict=True):
            if part is None or isinstance(part, str):
                sheet.text(x, h * y, text, small)
                x += sheet.measure(text, small)
            else:
                sheet.text(x, h * y, text, pen, field=part.field)
                x += sheet.measure(text, pen)
    edge = head(sheet, look, facts, w * 0.15, h * 0.765, size)
    foot(sheet, look, facts, w * 0.88, h * 0.765, size, edge)
    if not number_high:
        number_line(sheet, look, facts, w * 0.1, h * 0.92)

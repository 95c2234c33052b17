"""English pages of Chinese certificates, on their own.

The layout `heldout_…` checks what was tuned on the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from ocr_moe.generation.dates import MONTHS, english_date
from ocr_moe.generation.documents.graduates import Graduate
from ocr_moe.generation.layouts import certificate
from ocr_moe.generation.layouts.pieces import (
    background,
    english_values,
    fill_in,
    grouped,
    number_size,
    office_seal,
    photo,
)
from ocr_moe.generation.lexicons import further_wordings
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import pictures
from ocr_moe.generation.sheet import Pen, Sheet, TextRun

PROGRAMS = {
    "专科": ("junior college", "associate", "college"),
    "本科": ("undergraduate", "bachelor's", "undergraduate"),
    "硕士研究生": ("postgraduate", "master's", "Master's"),
    "博士研究生": ("doctoral", "Ph.D.", "doctoral"),
}


def english_runs(sheet: Sheet, facts: Graduate, kind: str) -> list[TextRun]:
    """A sentence that says in Latin script what the facts say, and makes that the truth."""
    values = latin_values(sheet, facts)
    fitting = [text for text in further_wordings(kind) if facts.degree or "{degree_en}" not in text]
    return fill_in(sheet.rng.choice(fitting), values)


def latin_values(sheet: Sheet, facts: Graduate) -> dict[str, TextRun]:
    rng = sheet.rng
    values = english_values(facts)
    family, given = values["name_en"].text.split(" ", 1)
    name = rng.choice((f"{family.upper()} {given}", f"{family} {given}", f"{given} {family}"))
    sheet.stated |= {"姓名": name, "毕业院校": facts.school_english, "专业": facts.major_english}
    return values | {
        "name_en": TextRun(name, "姓名"),
        "major_en": TextRun(facts.major_english, "专业"),
        "school_en": TextRun(facts.school_english, "毕业院校"),
        "program_en": TextRun(rng.choice(PROGRAMS[facts.level]), "学历层次"),
        "degree_en": TextRun(values["degree_en"].text, "学历层次"),
        "issued_en": TextRun(values["issued_en"].text, "毕业日期"),
    }


def english_foot_date(sheet: Sheet, facts: Graduate) -> str:
    """June 20, 2019; 20 June 2019; June 20th, 2019. Without the day where none is printed."""
    year, month, *day = (int(part) for part in facts.issued.split("-"))
    if not day:
        return english_date(facts.issued)
    ending = {1: "st", 2: "nd", 3: "rd"}.get(day[0] if day[0] < 20 else day[0] % 10, "th")
    name = MONTHS[month - 1]
    return sheet.rng.choice(
        (f"{name} {day[0]}, {year}", f"{day[0]} {name} {year}", f"{name} {day[0]}{ending}, {year}")
    )


def latin_number(sheet: Sheet, look: Look, facts: Graduate, x: float, y: float) -> None:
    rng = sheet.rng
    if not look.numbered:
        return
    size = number_size(sheet) * 1.1
    pen = Pen(look.latin_face, round(size), look.body_ink)
    label = rng.choice(("Certificate No.: ", "Certificate No. ", "No. ", "Certificate Number: "))
    sheet.text(x, y, label, pen)
    number = grouped(facts.number, look.digit_groups)
    sheet.text(x + sheet.measure(label, pen), y, number, pen, field="证书编号")


def latin_foot(
    sheet: Sheet, look: Look, facts: Graduate, x: float, y: float, right: float, size: float
) -> None:
    """The president's signature left, the date at the right under the seal."""
    pen = Pen(look.latin_face, round(size), look.body_ink)
    label = sheet.rng.choice(("President: ", "President", "President (signature)"))
    box = sheet.text(x, y, label, pen)
    if sheet.rng.random() < 0.5:
        layer = pictures.signature(sheet.rng, round(size * 4), round(size * 1.8))
        sheet.stamp(layer, box[2] + size * 3, y - size * 0.4)
    else:
        sheet.text(box[2] + size * 0.5, y, sheet.rng.choice(("Lin Jianguo", "Wang Haifeng")), pen)
    date = sheet.text(
        right, y + size * 1.8, english_foot_date(sheet, facts), pen, align="r", field="毕业日期"
    )
    if sheet.rng.random() < 0.7:
        office_seal(sheet, look, facts.school, (date[0] + date[2]) / 2, y + size)


@certificate("english_page", kind="diploma", ratio=(0.66, 0.74), further="english")
def page(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """A title, one sentence, head and date below, the number last."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look)
    text = rng.choice(("CERTIFICATE OF GRADUATION", "GRADUATION CERTIFICATE", "DIPLOMA"))
    pen = Pen(look.latin_face, round(w * 0.032), look.title_ink)
    sheet.text(w / 2, h * rng.uniform(0.15, 0.2), text, pen, align="m")
    size = w * rng.uniform(0.02, 0.024)
    body = Pen(look.latin_face, round(size), look.body_ink)
    runs = english_runs(sheet, facts, "english")
    last = sheet.sentence((w * 0.1, h * 0.32, w * 0.9), runs, body, leading=size * 2)
    y = max(last + size * 3.2, h * 0.66)
    latin_foot(sheet, look, facts, w * 0.1, y, w * 0.88, size)
    latin_number(sheet, look, facts, w * 0.1, h * 0.9)


def labelled(facts: Graduate, values: dict[str, TextRun]) -> Sequence[tuple[str, TextRun]]:
    """The rows of a form in English."""
    return (
        ("Name", values["name_en"]),
        ("Sex", values["sex_en"]),
        ("Date of Birth", values["birth_en"]),
        ("School", values["school_en"]),
        ("Major", values["major_en"]),
        ("Level of Education", values["program_en"]),
        ("Date of Graduation", values["issued_en"]),
        ("Certificate No.", TextRun(facts.number, "证书编号")),
    )


@certificate("english_form", kind="diploma", ratio=(0.66, 0.74), further="english", weight=0.6)
def form(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """Labels and values in rows."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look)
    pen = Pen(look.latin_face, round(w * 0.032), look.title_ink)
    sheet.text(w / 2, h * 0.15, "GRADUATION CERTIFICATE", pen, align="m")
    size = w * rng.uniform(0.019, 0.022)
    body = Pen(look.latin_face, round(size), look.body_ink)
    photo(sheet, look, facts, w * 0.77, h * 0.22, w * 0.12)
    for n, (label, run) in enumerate(labelled(facts, latin_values(sheet, facts))):
        y = h * 0.28 + n * h * 0.075
        sheet.text(w * 0.1, y, f"{label}:", body)
        sheet.text(w * 0.34, y, run.text, body, field=run.field)


@certificate(
    "heldout_english_portrait",
    kind="diploma",
    ratio=(1.3, 1.42),
    heldout=True,
    further="english",
)
def portrait(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """A portrait page with the school's name above the title."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look)
    pen = Pen(look.latin_face, round(w * 0.04), look.title_ink)
    pen.size = round(pen.size * min(1.0, w * 0.8 / sheet.measure(facts.school_english, pen)))
    if rng.random() < 0.7:
        sheet.text(w / 2, h * 0.13, facts.school_english, pen, align="m", field="毕业院校")
    text = rng.choice(("Certificate of Graduation", "Diploma", "Graduation Certificate"))
    sheet.text(
        w / 2, h * 0.21, text, Pen(look.latin_face, round(w * 0.05), look.title_ink), align="m"
    )
    size = w * rng.uniform(0.026, 0.03)
    body = Pen(look.latin_face, round(size), look.body_ink)
    runs = english_runs(sheet, facts, "heldout_english")
    last = sheet.sentence((w * 0.12, h * 0.3, w * 0.88), runs, body, leading=size * 2)
    y = max(last + size * 3, h * 0.62)
    latin_foot(sheet, look, facts, w * 0.12, y, w * 0.86, size)
    latin_number(sheet, look, facts, w * 0.12, h * 0.9)

"""University diplomas in English: in lines set in the middle, in prose, or as a form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ocr_moe.generation.dates import worded_day
from ocr_moe.generation.documents.englishdiplomas import EnglishDiploma
from ocr_moe.generation.layouts import setting
from ocr_moe.generation.layouts.forms import fitted, rule
from ocr_moe.generation.lexicons import english_diplomas
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import paper, pictures, seals
from ocr_moe.generation.sheet import Colour, Pen, Sheet, TextRun

SCHEMA = "english_diploma"
INKS: tuple[Colour, ...] = ((20, 20, 24), (40, 30, 26), (24, 30, 60))


def grounds(sheet: Sheet) -> None:
    rng = sheet.rng
    colour = rng.choice(((150, 120, 60), (60, 80, 120), (110, 110, 110), (110, 40, 50)))
    if rng.random() < 0.3:
        sheet.image.paste(paper.guilloche(rng, sheet.image, colour, rng.uniform(0.03, 0.1)))
    if rng.random() < 0.6:
        sheet.inset = paper.frame(rng, sheet.image, colour, rng.uniform(0.02, 0.04))


def lines_of(sheet: Sheet, facts: EnglishDiploma, group: str = "") -> list[list[TextRun]]:
    """The lines of a diploma, each in runs."""
    rng = sheet.rng
    wording = rng.choice(english_diplomas().wordings[group + facts.custom])
    day = worded_day(rng, facts.awarded, british=facts.custom == "british")
    if day.find(" day of ") < 0 and any("this {day}" in line for line in wording):
        day = worded_day(rng, facts.awarded, worded=True)
    degree = [TextRun(facts.degree, "degree")]
    if facts.major:
        joint = " (" if facts.custom == "british" and rng.random() < 0.25 else " in "
        degree += [TextRun(joint), TextRun(facts.major, "major")]
        degree += [TextRun(")")] if joint == " (" else []
    lines = []
    for line in wording:
        if "{honours}" in line and not facts.honours:
            continue
        if line == "{degree}":
            lines.append(degree)
            continue
        if " day of " in day and "this {day}" not in line:
            line = line.replace("{day}", "the {day}")
        runs = []
        for part in line.replace("{", "\0{").replace("}", "}\0").split("\0"):
            run = {
                "{institution}": TextRun(facts.institution, "institution"),
                "{name}": TextRun(facts.name, "name"),
                "{honours}": TextRun(facts.honours, "honours"),
                "{place}": TextRun(facts.place),
                "{day}": TextRun(day, "date"),
            }.get(part, TextRun(part))
            if run.text:
                runs.append(run)
        lines.append(runs)
    return lines


def level(sheet: Sheet) -> None:
    """The level stands where the degree does."""
    box = sheet.box_of("degree")
    if box is not None:
        sheet.marks.append(("level", box))


def centred(
    sheet: Sheet, lines: Sequence[Sequence[TextRun]], body: Pen, large: dict[str, Pen],
    box: tuple[float, float, float, float], *, caps: bool = False,
) -> float:  # fmt: skip
    """Lines in the middle between left and right from a height on, those of a large pen by field; long
    ones over several; returns the last baseline."""
    left, y, right, bottom = box
    heights = []
    for runs in lines:
        pen = next((large[run.field] for run in runs if run.field in large), body)
        heights.append(pen.size * 1.75)
    scale = min(1.0, (bottom - y) / sum(heights))
    for runs, height in zip(lines, heights, strict=True):
        pen = next((large[run.field] for run in runs if run.field in large), body)
        pen = replace(pen, size=round(pen.size * min(1.0, scale * 1.1)))
        shown = [TextRun(run.text.upper() if caps and run.field in ("name", "institution") else run.text,
                         run.field) for run in runs]  # fmt: skip
        whole = "".join(run.text for run in shown)
        if pen is not body and sheet.measure(whole, pen) > right - left:
            pen = fitted(sheet, whole, pen, right - left)
        y += height * scale
        y = _words(sheet, shown, pen, left, right, y)
    return y


def _words(
    sheet: Sheet, runs: Sequence[TextRun], pen: Pen, left: float, right: float, y: float
) -> float:
    """Runs in the middle, broken between words where one line is not enough."""
    words: list[TextRun] = []
    for run in runs:
        parts = run.text.split(" ")
        for n, part in enumerate(parts):
            words.append(TextRun(part + (" " if n + 1 < len(parts) else ""), run.field))
    line: list[TextRun] = []
    for word in [*words, None]:
        text = "".join(each.text for each in line)
        if word is not None and sheet.measure(text + word.text, pen) <= right - left:
            line.append(word)
            continue
        x = (left + right) / 2 - sheet.measure(text.rstrip(), pen) / 2
        joined: list[TextRun] = []
        for each in line:
            if joined and joined[-1].field == each.field:
                joined[-1] = TextRun(joined[-1].text + each.text, each.field)
            else:
                joined.append(each)
        for each in joined:
            sheet.text(x, y, each.text, pen, field=each.field)
            x += sheet.measure(each.text, pen)
        if word is not None:
            line, y = [word], y + pen.size * 1.35
    return y


def signatures(
    sheet: Sheet, pen: Pen, y: float, places: Sequence[float], names: Sequence[str]
) -> None:
    rng, w = sheet.rng, sheet.width
    for x, name in zip(places, names, strict=True):
        layer = pictures.signature(rng, round(w * 0.11), round(w * 0.04))
        sheet.stamp(layer, w * x, y - pen.size * 2)
        rule(
            sheet,
            pen.ink,
            (w * (x - 0.1), y - pen.size * 1.1),
            (w * (x + 0.1), y - pen.size * 1.1),
            width=1,
        )
        sheet.text(w * x, y, name, pen, align="m")


def number(sheet: Sheet, facts: EnglishDiploma, pen: Pen, x: float, y: float) -> None:
    if not facts.number:
        return
    label = sheet.rng.choice(
        ("Diploma No. ", "Certificate No. ", "Diploma No.: ", "Serial No. ", "No. ")
    )
    sheet.text(x, y, label, pen)
    sheet.text(x + sheet.measure(label, pen), y, facts.number, pen, field="number")


def pens(sheet: Sheet, look: Look, size: float) -> tuple[Pen, dict[str, Pen]]:
    """The pen of the text, and those of what is set large."""
    rng = sheet.rng
    ink = rng.choice(INKS)
    book = sheet.book
    body = Pen(rng.choice(book.of("serif", "italic", "italic")), round(size), ink)
    bold = Pen(rng.choice(book.of("serif")), round(size), ink)
    return body, {
        "institution": replace(bold, size=round(size * rng.uniform(1.7, 2.1))),
        "name": replace(bold, size=round(size * rng.uniform(1.6, 2.0))),
        "degree": replace(bold, size=round(size * rng.uniform(1.25, 1.5))),
    }


@setting("diploma_american", EnglishDiploma, schema=SCHEMA, ratio=(0.7, 0.8),
         suits=lambda facts: facts.custom == "american")  # fmt: skip
def american(sheet: Sheet, facts: EnglishDiploma, look: Look) -> None:
    """A landscape page, all in the middle, signatures and a gold seal at the foot."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    grounds(sheet)
    size = w * rng.uniform(0.02, 0.023)
    body, large = pens(sheet, look, size)
    lines = lines_of(sheet, facts)
    last = centred(sheet, lines, body, large, (w * 0.1, h * 0.06, w * 0.9, h * 0.74),
                   caps=rng.random() < 0.3)  # fmt: skip
    level(sheet)
    small = replace(body, size=round(size * 0.72))
    y = max(last + size * 4.5, h * 0.86)
    signatures(
        sheet, small, y, (0.22, 0.78), ("President of the University", "Dean of the Faculty")
    )
    layer = seals.round_seal(
        sheet.book, look.title_face, rng, "SEAL", round(w * 0.08), colour=(176, 136, 50)
    )
    sheet.stamp(layer, w * 0.5, y - size)
    number(sheet, facts, small, w * 0.1, y + size * 1.8)


@setting("diploma_british", EnglishDiploma, schema=SCHEMA, ratio=(1.36, 1.44),
         suits=lambda facts: facts.custom == "british", weight=0.8)  # fmt: skip
def british(sheet: Sheet, facts: EnglishDiploma, look: Look) -> None:
    """An upright page, arms above the name of the university."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    grounds(sheet)
    size = w * rng.uniform(0.027, 0.031)
    body, large = pens(sheet, look, size)
    sheet.stamp(pictures.emblem(rng, round(w * 0.12), mono=True), w / 2, h * 0.13)
    last = centred(
        sheet, lines_of(sheet, facts), body, large, (w * 0.12, h * 0.2, w * 0.88, h * 0.7)
    )
    level(sheet)
    small = replace(body, size=round(size * 0.72))
    y = max(last + size * 5, h * 0.84)
    signatures(sheet, small, y, (0.28, 0.72), ("Vice-Chancellor", "Registrar"))
    number(sheet, facts, small, w * 0.12, h * 0.94)


@setting("diploma_form", EnglishDiploma, schema=SCHEMA, ratio=(1.36, 1.44), weight=0.6)
def form(sheet: Sheet, facts: EnglishDiploma, look: Look) -> None:
    """A degree certificate with labels and values in rows."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    size = w * rng.uniform(0.021, 0.024)
    body, large = pens(sheet, look, size)
    head = fitted(sheet, facts.institution, large["institution"], w * 0.8)
    sheet.text(w / 2, h * 0.12, facts.institution, head, align="m", field="institution")
    sheet.text(w / 2, h * 0.18, rng.choice(("DEGREE CERTIFICATE", "CERTIFICATE OF DEGREE", "DIPLOMA")),
               replace(large["degree"], size=round(size * 1.5)), align="m")  # fmt: skip
    day = worded_day(rng, facts.awarded, british=facts.custom == "british", plain=True)
    entries = [
        (rng.choice(("Name", "Full Name", "Name of Graduate")), facts.name, "name"),
        (rng.choice(("Degree Awarded", "Degree", "Award")), facts.degree, "degree"),
        (rng.choice(("Field of Study", "Major", "Programme")), facts.major, "major"),
        (rng.choice(("Honours", "Classification", "Class of Award")), facts.honours, "honours"),
        (rng.choice(("Date of Award", "Date Conferred", "Date of Conferral")), day, "date"),
        (rng.choice(("Certificate No.", "Diploma No.")), facts.number, "number"),
    ]
    y = h * 0.28
    for label, value, name in entries:
        if not value:
            continue
        sheet.text(w * 0.14, y, f"{label}:", body)
        pen = fitted(sheet, value, replace(large["name"], size=round(size)), w * 0.5)
        sheet.text(w * 0.4, y, value, pen, field=name)
        y += h * 0.055
    level(sheet)
    small = replace(body, size=round(size * 0.8))
    signatures(sheet, small, h * 0.82, (0.74,), ("Registrar",))


@setting("heldout_diploma_flush", EnglishDiploma, schema=SCHEMA, ratio=(1.36, 1.44), heldout=True)
def flush(sheet: Sheet, facts: EnglishDiploma, look: Look) -> None:
    """All flush left, the text as one paragraph of sans."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    size = w * rng.uniform(0.026, 0.03)
    pen = Pen(rng.choice(sheet.book.of("sans")), round(size), rng.choice(INKS))
    head = fitted(sheet, facts.institution, replace(pen, size=round(size * 1.5)), w * 0.76)
    sheet.text(w * 0.12, h * 0.14, facts.institution, head, field="institution")
    runs: list[TextRun] = []
    for line in lines_of(sheet, facts, "heldout_"):
        if any(run.field == "institution" for run in line):
            continue
        runs += [*line, TextRun(" ")]
    last = sheet.sentence((w * 0.12, h * 0.26, w * 0.86), runs, pen, leading=size * 1.9)
    level(sheet)
    small = replace(pen, size=round(size * 0.75))
    signatures(sheet, small, max(last + size * 7, h * 0.7), (0.24,), ("Chancellor",))
    number(sheet, facts, small, w * 0.12, h * 0.92)


@setting("heldout_diploma_wide", EnglishDiploma, schema=SCHEMA, ratio=(0.66, 0.74), heldout=True)
def wide(sheet: Sheet, facts: EnglishDiploma, look: Look) -> None:
    """A landscape page in italics with the seal at the left and the text beside it."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    grounds(sheet)
    size = w * rng.uniform(0.019, 0.022)
    body, large = pens(sheet, look, size)
    layer = seals.round_seal(
        sheet.book, look.title_face, rng, "SIGILLUM", round(w * 0.13), colour=(40, 60, 120)
    )
    sheet.stamp(layer, w * 0.14, h * 0.48)
    lines = lines_of(sheet, facts, "heldout_")
    last = centred(sheet, lines, body, large, (w * 0.26, h * 0.08, w * 0.94, h * 0.72))
    level(sheet)
    small = replace(body, size=round(size * 0.75))
    y = max(last + size * 4.5, h * 0.88)
    signatures(sheet, small, y, (0.4, 0.8), ("Chair of the Board", "Provost"))
    number(sheet, facts, small, sheet.inset + size * 1.5, h - sheet.inset - size * 1.2)

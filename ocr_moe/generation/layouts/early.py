"""Diplomas of before 1996: numbers of the school's own, type like handwriting, few data.

The layout `heldout_…` checks what was tuned on the other.
"""

from __future__ import annotations

from ocr_moe.generation.documents.graduates import Graduate
from ocr_moe.generation.layouts import certificate
from ocr_moe.generation.layouts.abroad import further_wording
from ocr_moe.generation.layouts.diplomas import foot, head
from ocr_moe.generation.layouts.pieces import background, number_size, photo, prose
from ocr_moe.generation.look import Look
from ocr_moe.generation.sheet import Sheet


def early_number(sheet: Sheet, look: Look, facts: Graduate, x: float, y: float) -> None:
    """第…号, with the school's word before it or not; a year in brackets is of the number."""
    labels = [("编号：", ""), ("证书编号：", "")]
    words = [
        ("第", "号"),
        ("毕字第", "号"),
        ("证书登记第", "号"),
        (f"{facts.school[:2]}毕字第", "号"),
    ]
    whole = "字第" in facts.number
    before, after = sheet.rng.choice([*labels, ("", "")] if whole else [*labels, *words])
    size = number_size(sheet) * 1.1
    box = sheet.text(x, y, before, look.body(size)) if before else (x, y, x, y)
    box = sheet.text(box[2] + size * 0.3, y, facts.number, look.digits(size), field="证书编号")
    if after:
        sheet.text(box[2] + size * 0.3, y, after, look.body(size))


def by_hand(sheet: Sheet, look: Look) -> None:
    """What was filled in looks like handwriting."""
    look.fill_face = sheet.rng.choice(sheet.book.of("kai"))
    look.fill_ink = sheet.rng.choice(((30, 34, 70), (20, 20, 24), (52, 48, 46)))


@certificate("early_prose", kind="diploma", ratio=(0.66, 0.76), further="early", holder="early")
def early(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """The photograph at the left under the number, heading and text right of it."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    by_hand(sheet, look)
    background(sheet, look)
    size = w * rng.uniform(0.024, 0.028)
    left, right = w * 0.32, w * 0.9
    lower = photo(sheet, look, facts, w * 0.1, h * rng.uniform(0.2, 0.28), w * 0.15)
    early_number(sheet, look, facts, w * 0.08, lower + h * 0.09)
    text = rng.choice(("毕业证书", "毕业证书", "畢業證書"))
    pen = look.title(w * rng.uniform(0.045, 0.055), spacing=0.6)
    sheet.text((left + right) / 2, h * 0.19, text, pen, align="m")
    leading = size * rng.uniform(1.8, 2.1)
    runs = further_wording(sheet, facts, look, "early")
    last = prose(sheet, look, runs, (left, h * 0.31, right), size, leading, limit=h * 0.64)
    y = max(last + leading * 1.2, h * 0.7)
    edge = head(sheet, look, facts, left, y, size)
    foot(sheet, look, facts, right, y + leading * 0.5, size, edge)


@certificate(
    "heldout_early_sheet",
    kind="diploma",
    ratio=(1.3, 1.42),
    heldout=True,
    further="early",
    holder="early",
)
def early_sheet(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """A portrait sheet with the school's name above the title and the number at the head."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    by_hand(sheet, look)
    background(sheet, look)
    early_number(sheet, look, facts, w * 0.6, h * 0.09)
    sheet.text(w / 2, h * 0.17, facts.school, look.title(w * 0.045), align="m", field="毕业院校")
    sheet.text(w / 2, h * 0.25, "毕业证书", look.title(w * 0.06, spacing=0.5), align="m")
    size = w * rng.uniform(0.03, 0.034)
    leading = size * 2.1
    runs = further_wording(sheet, facts, look, "heldout_early")
    last = prose(sheet, look, runs, (w * 0.12, h * 0.34, w * 0.88), size, leading, limit=h * 0.66)
    y = max(last + leading * 1.4, h * 0.7)
    edge = head(sheet, look, facts, w * 0.12, y, size)
    foot(sheet, look, facts, w * 0.88, y + leading, size, edge)
    photo(sheet, look, facts, w * 0.14, h * 0.78, w * 0.16)

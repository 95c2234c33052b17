"""Pieces that several layouts share: prose, numbers, feet with seal and date, photographs."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from ocr_moe.generation.dates import chinese_number, english_date
from ocr_moe.generation.documents.graduates import Graduate
from ocr_moe.generation.lexicons import english_words, wordings
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import paper, pictures, seals
from ocr_moe.generation.sheet import Pen, PixelBox, Sheet, TextRun

DIPLOMA_LABELS = (
    "证书编号：",
    "证书编号：",
    "证书编号",
    "编号：",
    "编号",
    "学校编号：",
    "毕业证书编号：",
    "证书编号：No.",
    "证书编号:",
    "电子注册号：",
    "No.",
    "编号：No.",
    "证 书 编 号：",
    "注册号：",
)
DEGREE_LABELS = (
    "证书编号：",
    "学位证书编号：",
    "证书编号",
    "编号：",
    "学位证书编号",
    "证书编号：No.",
    "(证书编号：",
    "学位证书编号:",
    "证书编号:",
)
_PLACE = re.compile(r"\{(\w+)\}")


def background(sheet: Sheet, look: Look, *, framed: bool = True) -> None:
    """Fine patterns on the paper, and a border, each or not."""
    rng = sheet.rng
    if rng.random() < 0.55:
        sheet.image.paste(paper.guilloche(rng, sheet.image, look.accent, rng.uniform(0.06, 0.22)))
    if rng.random() < 0.2:
        text = rng.choice(("毕业证书", "学历证书", "CERTIFICATE", "高等教育", "学位证书"))
        sheet.image.paste(
            paper.watermark(
                rng, sheet.image, text, look.title_face, look.accent, rng.uniform(0.06, 0.16)
            )
        )
    if framed and rng.random() < 0.85:
        sheet.inset = paper.frame(rng, sheet.image, look.accent, rng.uniform(0.02, 0.035))


def printed(facts: Graduate, look: Look) -> dict[str, TextRun]:
    """The placeholders of wordings as runs: what stands there and which field it is."""
    person = facts.person
    return {
        "name": TextRun(person.name, "姓名", filled=True),
        "sex": TextRun(person.sex, "性别", filled=True),
        "birth": TextRun(look.dates.write(person.birth), "出生日期", filled=True),
        "province": TextRun(person.province, filled=True),
        "start": TextRun(look.dates.write(facts.start), filled=True),
        "end": TextRun(look.dates.write(facts.end), filled=True),
        "school": TextRun(facts.school, "毕业院校", filled=True),
        "major": TextRun(facts.major, "专业", filled=True),
        "length": TextRun(f"{chinese_number(facts.years)}年制", filled=True),
        "years": TextRun(f"{chinese_number(facts.years)}年", filled=True),
        "age": TextRun(chinese_number(int(facts.issued[:4]) - int(person.birth[:4])), filled=True),
        "level": TextRun(facts.level, "学历层次", filled=True),
        "mode": TextRun("函授" if facts.years > 2 else "业余", filled=True),
        "degree": TextRun(facts.degree, "学历层次", filled=True),
    }


def wording(sheet: Sheet, facts: Graduate, look: Look) -> list[TextRun]:
    """A wording that suits the certificate, cut into runs."""
    fitting = [entry for entry in wordings(facts.kind) if entry.suits(facts.form, facts.level)]
    weights = [0.15 if entry.rare else 1.0 for entry in fitting]
    chosen = sheet.rng.choices(fitting, weights)[0]
    pad = sheet.rng.choice(("", "", " ", " ", "  "))
    return fill_in(chosen.text, printed(facts, look), pad)


def fill_in(text: str, values: dict[str, TextRun], pad: str = "") -> list[TextRun]:
    runs: list[TextRun] = []
    for n, part in enumerate(_PLACE.split(text)):
        if n % 2:
            run = values[part]
            if pad:
                runs += [TextRun(pad), run, TextRun(pad)]
            else:
                runs.append(run)
        elif part:
            runs.append(TextRun(part))
    return runs


def pens(runs: Sequence[TextRun], form: Pen, filled: Pen) -> list[tuple[TextRun, Pen]]:
    return [(run, filled if run.filled else form) for run in runs]


def prose(
    sheet: Sheet,
    look: Look,
    runs: Sequence[TextRun],
    box: tuple[float, float, float],
    size: float,
    leading: float,
    *,
    limit: float,
) -> float:
    """A paragraph with an indent of two characters; returns its last baseline.

    Where it would go below `limit`, type and leading are made smaller.
    """
    ratio = sheet.rng.choice((1.0, 1.0, 1.0, 1.06, 0.94))
    spacing = sheet.rng.choice((0, 0, 0.03, 0.06))
    while True:
        indent = 2 * size * (1 + spacing)
        inked = pens(
            runs, look.body(size, spacing=spacing), look.fill(size * ratio, spacing=spacing)
        )
        lines = sheet.lines_of(box[2] - box[0], inked, indent=indent)
        if box[1] + (lines - 1) * leading <= limit or size < sheet.width * 0.013:
            break
        size, leading = size * 0.96, leading * 0.94
    return sheet.flow(box, inked, leading=leading, indent=indent, justify=sheet.rng.random() < 0.5)


def grouped(number: str, groups: Sequence[int]) -> str:
    """The number with spaces between groups of digits."""
    if not groups:
        return number
    parts, rest = [], number
    for length in groups:
        parts.append(rest[:length])
        rest = rest[length:]
    return " ".join(part for part in (*parts, rest) if part)


def number_size(sheet: Sheet) -> int:
    """Type size of numbers in pixels: 1.6-2.1 % of the page's width."""
    return round(sheet.width * sheet.rng.uniform(0.016, 0.021))


def number_line(
    sheet: Sheet,
    look: Look,
    facts: Graduate,
    x: float,
    y: float,
    *,
    align: str = "l",
    limit: float = math.inf,
) -> None:
    """The label and the number on one line, kept inside the border.

    `limit`: how far right the number may reach, where a border stands within the page.
    """
    rng = sheet.rng
    if not look.numbered:
        return
    label = rng.choice(DIPLOMA_LABELS if facts.kind == "diploma" else DEGREE_LABELS)
    if look.form_serial and label != "No.":
        form_serial(sheet, look, low=y < sheet.height / 2)
    closing = ")" if label.startswith("(") else ""
    size = number_size(sheet)
    digits, form = look.digits(size), look.body(size * rng.uniform(0.95, 1.1))
    text = grouped(facts.number, look.digit_groups)
    gap = rng.choice((0.0, 0.2, 0.5, 1.0)) * size
    if not label.endswith(("：", ":", ".")):
        gap = max(gap, 0.4 * size)
    total = sheet.measure(label, form) + gap + sheet.measure(text, digits)
    x -= {"l": 0.0, "m": total / 2, "r": total}[align]
    x = max(min(x, sheet.width - sheet.inset - total - 0.5 * size), sheet.inset + 0.5 * size)
    if x + total - digits.spacing * size > limit:  # on the ornament nobody could read it
        digits.spacing, text, gap = 0.0, facts.number, 0.2 * size
        total = sheet.measure(label, form) + gap + sheet.measure(text, digits)
        x = limit - total - 0.4 * size
    y = max(min(y, sheet.height - sheet.inset - 0.5 * size), sheet.inset + 1.3 * size)
    sheet.text(x, y, label, form)
    box = sheet.text(x + sheet.measure(label, form) + gap, y, text, digits, field="证书编号")
    if closing:
        sheet.text(box[2] + 4, y, closing, form)


def form_serial(sheet: Sheet, look: Look, *, low: bool) -> None:
    """The printer's running number of the blank form, in a corner: not the certificate's."""
    rng = sheet.rng
    text = (
        rng.choice(("No.", "NO ", "№ ", "")) + f"{rng.randrange(10**7):0{rng.choice((6, 7, 8))}d}"
    )
    pen = Pen(
        look.latin_face, round(sheet.width * 0.013), rng.choice(((170, 40, 40), look.body_ink))
    )
    edge = sheet.inset + sheet.width * 0.03
    y = sheet.height - edge if low else edge + pen.size
    sheet.text(sheet.width - edge, y, text, pen, align="r")


def second_seal(sheet: Sheet, look: Look, box: PixelBox, owner: str, words: Sequence[str]) -> None:
    """A seal over a number, as an archive or an office puts it; `words` name what it is for."""
    rng = sheet.rng
    kind = rng.choice(("round", "round", "oval"))
    width = sheet.width
    if kind == "round":
        text = owner[:10] + rng.choice(words)
        layer = seals.round_seal(
            sheet.book,
            look.title_face,
            rng,
            text,
            round(width * rng.uniform(0.085, 0.13)),
            strength=rng.uniform(0.45, 0.8),
        )
    else:
        text = rng.choice((*words, "档案查询专用章", "与原件核对无异", "复印件专用章"))
        layer = seals.oval_seal(
            sheet.book, look.title_face, rng, text, round(width * rng.uniform(0.1, 0.15))
        )
    x = rng.uniform(box[0], box[2])
    y = (box[1] + box[3]) / 2 + rng.uniform(-0.25, 0.25) * layer.height
    sheet.stamp(layer, x, y)


def office_seal(
    sheet: Sheet,
    look: Look,
    text: str,
    x: float,
    y: float,
    *,
    size: float | None = None,
    below: str = "",
) -> None:
    """The issuer's round seal, centred at a point."""
    diameter = round(size or sheet.width * sheet.rng.uniform(0.105, 0.15))
    sheet.stamp(
        seals.round_seal(
            sheet.book,
            sheet.rng.choice(sheet.book.of("song", "hei", "fang")),
            sheet.rng,
            text,
            diameter,
            below=below,
        ),
        x,
        y,
    )


def photo(sheet: Sheet, look: Look, facts: Graduate, x: float, y: float, width: float) -> float:
    """A portrait with its top left corner at a point, perhaps embossed; returns its lower edge."""
    rng = sheet.rng
    height = width * rng.uniform(1.28, 1.45)
    picture = pictures.portrait(rng, round(width), round(height), facts.person.sex)
    sheet.image.paste(picture, (round(x), round(y)))
    if rng.random() < 0.5:
        seal = seals.steel_seal(
            sheet.book, look.title_face, rng, facts.school, round(width * rng.uniform(0.9, 1.1))
        )
        sheet.stamp(seal, x + width * rng.uniform(0.6, 1.0), y + height * rng.uniform(0.75, 1.0))
    return y + height


def signed(
    sheet: Sheet, look: Look, label: str, x: float, y: float, size: float, name: str
) -> float:
    """`label` and behind it a head's signature: a scrawl, a printed name, or a square seal.

    Returns its right edge.
    """
    rng = sheet.rng
    box = sheet.text(x, y, label, look.body(size))
    left = right = box[2] + size * 0.4
    kind = rng.choice(("scrawl", "scrawl", "name", "seal", "both"))
    if kind in ("name", "both"):
        face = rng.choice(sheet.book.of("kai"))
        right = sheet.text(left, y, name, Pen(face, round(size * 1.15), look.fill_ink))[2]
    if kind == "scrawl":
        layer = pictures.signature(rng, round(size * 3.6), round(size * 1.7))
        sheet.stamp(layer, left + size * 1.8, y - size * 0.3)
        right = left + size * 3.6
    if kind in ("seal", "both"):
        layer = seals.square_seal(
            sheet.book,
            rng.choice(sheet.book.of("kai", "song")),
            rng,
            name,
            round(size * rng.uniform(1.7, 2.3)),
            carved=rng.random() < 0.3,
        )
        sheet.stamp(layer, right + size * 1.3, y - size * 0.35)
        right += size * 2.5
    return right


def english_values(facts: Graduate) -> dict[str, TextRun]:
    """Placeholders of the English wordings. Fields are those that any language states alike."""
    person = facts.person
    degree = {"硕士研究生": "Master", "博士研究生": "Doctor"}.get(facts.level, "Bachelor")
    subject = english_words().subjects.get(facts.degree[:-2], "Science")
    return {
        "name_en": TextRun(_romanised(person.name)),
        "sex_en": TextRun("male" if person.sex == "男" else "female", "性别"),
        "birth_en": TextRun(english_date(person.birth), "出生日期"),
        "major_en": TextRun(facts.major_english),
        "school_en": TextRun(facts.school_english),
        "start_en": TextRun(english_date(facts.start)),
        "end_en": TextRun(english_date(facts.end)),
        "issued_en": TextRun(english_date(facts.issued)),
        "years_en": TextRun(str(facts.years)),
        "degree_en": TextRun(f"{degree} of {subject}"),
    }


def _romanised(name: str) -> str:
    """A Latin name of the right shape. Spelling a name needs a dictionary that this has not."""
    syllables = english_words().syllables
    picked = [syllables[ord(char) % len(syllables)] for char in name if char != "·"]
    return f"{picked[0]} {''.join(picked[1:]).capitalize()}"

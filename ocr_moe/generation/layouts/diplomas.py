"""Diplomas, 毕业证书."""

from __future__ import annotations

from ocr_moe.generation.documents.graduates import Graduate, draw_name
from ocr_moe.generation.layouts import certificate
from ocr_moe.generation.layouts.pieces import (
    background,
    english_values,
    fill_in,
    number_line,
    office_seal,
    photo,
    printed,
    prose,
    signed,
    wording,
)
from ocr_moe.generation.lexicons import english_words
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import paper, pictures
from ocr_moe.generation.sheet import Pen, Sheet

TITLES = {
    "regular": ("普通高等学校", "毕业证书"),
    "graduate": ("研究生", "毕业证书"),
    "adult": ("成人高等教育", "毕业证书"),
    "online": ("网络教育", "毕业证书"),
    "selfstudy": ("高等教育自学考试", "毕业证书"),
}
HEADS = {
    "diploma": ("校长：", "校（院）长：", "校　长", "院长：", "校长(签章)："),
    "degree": ("校长：", "学位评定委员会主席：", "校长、学位评定委员会主席：", "主席："),
}


def head(sheet: Sheet, look: Look, facts: Graduate, x: float, y: float, size: float) -> float:
    """The head's title and signature; returns its right edge."""
    name, _ = draw_name(sheet.rng, 1958)
    return signed(sheet, look, sheet.rng.choice(HEADS[facts.kind]), x, y, size, name)


def foot(
    sheet: Sheet,
    look: Look,
    facts: Graduate,
    right: float,
    y: float,
    size: float,
    after: float = 0.0,
) -> None:
    """School and date, right-aligned at the foot, with the seal over them.

    A school that stands above already is named again or not. `after` is the right edge of what
    stands on the same line: where it is in the way, the foot begins a line lower.
    """
    rng = sheet.rng
    named = any(field == "毕业院校" for field, _ in sheet.marks)
    middle = right - sheet.width * 0.12
    if not named or rng.random() < 0.5:
        label = rng.choice(("", "", "校名：", "学校：", "学校名称："))
        if facts.form == "selfstudy":
            label = rng.choice(("主考学校：", "主考院校："))
        pen = look.fill(size * rng.uniform(1.0, 1.15), spacing=rng.choice((0, 0, 0.1)))
        pen.underline = False
        width = sheet.measure(facts.school, pen)
        left = min(middle - width / 2, right - width)
        form = look.body(size)
        label_left = left - sheet.measure(label, form) - 4
        if label_left < after + size:
            y += 2 * size
        box = sheet.text(left, y, facts.school, pen, field="毕业院校")
        sheet.text(label_left, y, label, form)
        middle = (box[0] + box[2]) / 2
        y += size * rng.uniform(1.7, 2.4)
    pen = look.fill(size * rng.uniform(0.95, 1.1), spacing=rng.choice((0, 0, 0.08)))
    pen.underline = False
    text = look.foot_dates.write(facts.issued)
    width = sheet.measure(text, pen)
    left = min(max(middle - width / 2, sheet.width * 0.05), right - width)
    date = sheet.text(left, y, text, pen, field="毕业日期")
    owner = facts.school if facts.form != "selfstudy" else "高等教育自学考试委员会"
    if rng.random() < 0.92:
        office_seal(
            sheet,
            look,
            owner,
            (date[0] + date[2]) / 2 + sheet.width * rng.uniform(-0.06, 0.06),
            y - size * rng.uniform(0.2, 1.8),
        )


def title(
    sheet: Sheet,
    look: Look,
    facts: Graduate,
    x: float,
    y: float,
    size: float,
    room: float | None = None,
) -> float:
    """The heading in one or two lines, centred at `x`; returns the last baseline.

    `room`: the widest that a school's name may be.
    """
    rng = sheet.rng
    first, second = TITLES[facts.form]
    spacing = rng.choice((0.1, 0.3, 0.6, 1.0))
    kind = rng.choice(("two", "two", "one", "school"))
    if facts.form == "selfstudy" or (facts.form in ("adult", "online") and kind == "school"):
        kind = "two"
    if kind == "one":
        sheet.text(x, y, second, look.title(size * 1.25, spacing=spacing), align="m")
        return y
    if kind == "school":
        pen = look.title(min(size, (room or sheet.width * 0.43) / len(facts.school)))
        sheet.text(x, y, facts.school, pen, align="m", field="毕业院校")
    else:
        sheet.text(x, y, first, look.title(size * 0.72, spacing=0.15), align="m")
    y += size * 1.55
    sheet.text(x, y, second, look.title(size * 1.15, spacing=spacing), align="m")
    return y


@certificate("diploma_prose", kind="diploma", ratio=(0.66, 0.74), weight=1.5)
def prose_page(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """One landscape page: title above, running text, photograph at a side, number at the foot."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look)
    size = w * rng.uniform(0.022, 0.027)
    left, right = w * rng.uniform(0.08, 0.12), w * rng.uniform(0.88, 0.92)
    base = title(
        sheet, look, facts, w / 2, h * rng.uniform(0.14, 0.18), w * rng.uniform(0.036, 0.05)
    )
    side = rng.choice(("left", "right", "none"))
    wide = w * rng.uniform(0.1, 0.125)
    start = max(base + h * 0.1, h * 0.34)
    if side != "none":
        x = left if side == "left" else right - wide
        lower = photo(sheet, look, facts, x, h * rng.uniform(0.1, 0.14), wide)
        start = max(start, lower + size * 1.6)
    leading = size * rng.uniform(1.75, 2.15)
    last = prose(
        sheet,
        look,
        wording(sheet, facts, look),
        (left, start, right),
        size,
        leading,
        limit=h * 0.64,
    )
    y = max(last + leading * 1.2, h * rng.uniform(0.68, 0.73))
    edge = 0.0
    if rng.random() < 0.8:
        edge = head(sheet, look, facts, left + w * rng.uniform(0.0, 0.2), y, size)
    foot(sheet, look, facts, right - w * 0.02, y, size, edge)
    if rng.random() < 0.6:
        number_line(sheet, look, facts, left, h * rng.uniform(0.88, 0.935))
    else:
        number_line(sheet, look, facts, right, h * rng.uniform(0.88, 0.935), align="r")


@certificate(
    "diploma_spread",
    kind="diploma",
    ratio=(0.66, 0.72),
    weight=1.6,
    forms=("regular", "adult", "online", "graduate"),
)
def spread(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """An open booklet: photograph and number on the left page, text on the right one."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look, framed=False)
    half = w // 2
    inset = 0
    if rng.random() < 0.8:
        for x in (0, half):
            page = sheet.image.crop((x, 0, x + half, h))
            state = rng.getstate()
            inset = paper.frame(rng, page, look.accent, 0.05)
            if x == 0:
                rng.setstate(state)
            sheet.image.paste(page, (x, 0))
    fold(sheet, half)
    wide = w * rng.uniform(0.12, 0.15)
    top = h * rng.uniform(0.22, 0.34)
    lower = photo(sheet, look, facts, half / 2 - wide / 2, top, wide)
    if rng.random() < 0.4:
        sheet.text(
            half / 2, h * 0.16, "".join(TITLES[facts.form]), look.title(w * 0.024), align="m"
        )
    place = rng.choice(("photo", "photo", "foot"))
    y = lower + h * rng.uniform(0.07, 0.12) if place == "photo" else h * 0.88
    number_line(sheet, look, facts, half / 2, y, align="m", limit=half - inset)
    if rng.random() < 0.3:
        sheet.text(
            half / 2,
            h * 0.92,
            "中华人民共和国教育部学历证书查询网址：http://www.chsi.com.cn",
            look.body(w * 0.0105),
            align="m",
        )
    size = w * rng.uniform(0.0195, 0.0225)
    left, right = half + w * 0.05, w * 0.95
    middle = (left + right) / 2
    base = title(
        sheet,
        look,
        facts,
        middle,
        h * rng.uniform(0.15, 0.19),
        w * rng.uniform(0.026, 0.034),
        right - left,
    )
    leading = size * rng.uniform(1.8, 2.2)
    last = prose(
        sheet,
        look,
        wording(sheet, facts, look),
        (left, max(base + h * 0.12, h * 0.36), right),
        size,
        leading,
        limit=h * 0.64,
    )
    y = max(last + leading * 1.1, h * 0.7)
    edge = head(sheet, look, facts, left, y, size)
    foot(sheet, look, facts, right, y + (leading if rng.random() < 0.6 else 0), size, edge)


def fold(sheet: Sheet, x: int) -> None:
    """The shadow along the fold of a booklet."""
    shade = sheet.rng.randint(150, 225)
    for n in range(-4, 5):
        level = shade + (255 - shade) * abs(n) // 5
        column = sheet.image.crop((x + n, 0, x + n + 1, sheet.height))
        sheet.image.paste(column.point(lambda v, k=level: v * k // 255), (x + n, 0))


@certificate("diploma_portrait", kind="diploma", ratio=(1.36, 1.44))
def portrait_page(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """A portrait page: emblem or photograph above, title, text, foot, number last or first."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look)
    size = w * rng.uniform(0.029, 0.034)
    left, right = w * rng.uniform(0.1, 0.13), w * rng.uniform(0.87, 0.9)
    y = h * 0.08
    high = rng.random() < 0.3
    if high:
        number_line(sheet, look, facts, right, y, align="r")
    wide = w * rng.uniform(0.16, 0.2)
    if rng.random() < 0.7:
        y = photo(
            sheet,
            look,
            facts,
            rng.choice((w / 2 - wide / 2, left, right - wide)),
            y + h * 0.02,
            wide,
        )
    base = title(
        sheet, look, facts, w / 2, y + h * rng.uniform(0.08, 0.1), w * rng.uniform(0.05, 0.062)
    )
    leading = size * rng.uniform(1.9, 2.4)
    last = prose(
        sheet,
        look,
        wording(sheet, facts, look),
        (left, base + h * 0.1, right),
        size,
        leading,
        limit=h * 0.68,
    )
    y = max(last + leading * 1.3, h * 0.72)
    edge = head(sheet, look, facts, left, y, size)
    foot(sheet, look, facts, right, y + leading, size, edge)
    if not high:
        number_line(sheet, look, facts, rng.choice((left, w / 2)), h * rng.uniform(0.92, 0.945))


@certificate("diploma_table", kind="diploma", ratio=(0.66, 0.76), weight=0.8)
def table_page(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """Labels and values in rows, ruled or with leaders, instead of prose."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look)
    base = title(
        sheet, look, facts, w / 2, h * rng.uniform(0.13, 0.16), w * rng.uniform(0.036, 0.045)
    )
    size = w * rng.uniform(0.019, 0.022)
    values = printed(facts, look)
    rows = [
        (rng.choice(("姓名", "学生姓名", "姓　　名")), "name"),
        (rng.choice(("性别", "性　　别")), "sex"),
        (rng.choice(("出生日期", "出生年月日", "出生年月")), "birth"),
        (rng.choice(("学历层次", "层次", "培养层次")), "level"),
        (rng.choice(("专业", "专业名称", "所学专业")), "major"),
        (rng.choice(("学制", "修业年限")), "years"),
        (rng.choice(("入学时间", "入学日期")), "start"),
        (rng.choice(("学校名称", "毕业院校", "院校名称")), "school"),
    ]
    if rng.random() < 0.3:
        rows = [row for row in rows if row[1] not in ("start", "years")]
    ruled = rng.random() < 0.4
    columns = 2 if rng.random() < 0.4 else 1
    left = w * rng.uniform(0.1, 0.14)
    pitch = (w * 0.9 - left) / columns if columns == 2 else w * 0.62
    top = max(base + h * 0.1, h * 0.34)
    lines = (len(rows) + columns - 1) // columns
    step = min(size * 2.6, h * 0.4 / lines)
    label_width = size * 5.6
    colon = rng.choice(("：", ":", ""))
    for n, (label, key) in enumerate(rows):
        x = left + pitch * (n % columns)
        y = top + step * (n // columns)
        sheet.text(x, y, label + colon, look.body(size))
        pen = look.fill(size)
        pen.underline = False
        room = pitch - label_width - size * 0.5
        wide = sheet.measure(values[key].text, pen)
        if wide > room:
            pen.size = max(10, int(pen.size * room / wide))
        sheet.text(x + label_width, y, values[key].text, pen, field=values[key].field)
        if ruled:
            sheet.draw.line((x, y + size * 0.6, x + pitch - size, y + size * 0.6), look.accent, 1)
    if columns == 1 and rng.random() < 0.8:
        photo(sheet, look, facts, w * 0.78, top - size, w * 0.115)
    y = top + step * lines + size * 0.3
    text = rng.choice(
        ("修完教学计划规定的全部课程，成绩合格，准予毕业。", "成绩合格，准予毕业，特发此证。")
    )
    sheet.text(left, y, text, look.body(size))
    edge = head(sheet, look, facts, left, h * 0.83, size)
    foot(sheet, look, facts, w * 0.9, h * 0.82, size, edge)
    number_line(
        sheet, look, facts, *((left, h * 0.93) if rng.random() < 0.6 else (w * 0.66, h * 0.075))
    )


@certificate("diploma_bilingual", kind="diploma", ratio=(0.66, 0.72), forms=("regular", "graduate"))
def bilingual(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """Chinese on one half, English on the other."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look)
    fold(sheet, w // 2)
    size = w * rng.uniform(0.018, 0.0205)
    left, right = w * 0.065, w * 0.46
    pictured = rng.random() < 0.5
    middle = (left + right) / 2 + (w * 0.045 if pictured else 0)
    base = title(sheet, look, facts, middle, h * 0.15, w * rng.uniform(0.024, 0.029), w * 0.28)
    start = max(base + h * 0.1, h * 0.33)
    if pictured:
        wide = w * 0.085
        lower = photo(sheet, look, facts, left, h * 0.1, wide)
        start = max(start, lower + size * 1.6)
    leading = size * rng.uniform(1.8, 2.1)
    last = prose(
        sheet,
        look,
        wording(sheet, facts, look),
        (left, start, right),
        size,
        leading,
        limit=h * 0.64,
    )
    y = max(last + leading, h * 0.68)
    edge = head(sheet, look, facts, left, y, size)
    foot(sheet, look, facts, right, y + leading, size, edge)
    number_line(sheet, look, facts, left, h * 0.915)
    english_half(sheet, facts, look, (w * 0.545, w * 0.94), size)


def english_half(
    sheet: Sheet, facts: Graduate, look: Look, sides: tuple[float, float], size: float
) -> None:
    """Title, text and foot in English between two sides."""
    rng, h = sheet.rng, sheet.height
    left, right = sides
    middle = (left + right) / 2
    words = {
        "diploma": ("DIPLOMA", "GRADUATION CERTIFICATE", "Certificate of Graduation"),
        "degree": ("CERTIFICATE OF DEGREE", "DIPLOMA", "Degree Certificate"),
    }
    text = rng.choice(words[facts.kind])
    pen = Pen(look.latin_face, round(size * 1.5), look.title_ink)
    pen.size = round(pen.size * min(1.0, (right - left) / sheet.measure(text, pen)))
    sheet.text(middle, h * 0.18, text, pen, align="m")
    runs = fill_in(rng.choice(getattr(english_words(), facts.kind)), english_values(facts))
    text = "".join(run.text for run in runs)
    for run in runs:
        if run.field:
            sheet.stated[run.field] = facts.truth()[run.field] or ""
    pen = Pen(look.latin_face, round(size * 0.95), look.body_ink)
    y = sheet.words((left, h * 0.32, right), text, pen, leading=size * 1.7)
    sheet.text(
        left, max(y + size * 3, h * 0.7), rng.choice(("President", "President:", "Chairman")), pen
    )
    layer = pictures.signature(rng, round(size * 4), round(size * 1.8))
    sheet.stamp(layer, left + size * 8, max(y + size * 3, h * 0.7) - size * 0.4)
    if rng.random() < 0.5:
        text = f"Certificate No. {facts.number}"
        pen.size = round(pen.size * min(1.0, (right - left) / sheet.measure(text, pen)))
        sheet.text(left, h * 0.915, text, pen, field="证书编号")


@certificate(
    "diploma_older", kind="diploma", ratio=(0.62, 0.74), forms=("regular",), older=True, weight=1.2
)
def older(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """1990s and early 2000s: the photograph at the left, heading and text right of it."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look)
    size = w * rng.uniform(0.024, 0.029)
    left, right = w * 0.34, w * 0.9
    wide = w * rng.uniform(0.13, 0.16)
    x = w * rng.uniform(0.09, 0.12)
    lower = photo(sheet, look, facts, x, h * rng.uniform(0.14, 0.24), wide)
    pen = look.title(w * rng.uniform(0.04, 0.055), spacing=rng.choice((0.3, 0.8)))
    sheet.text(
        (left + right) / 2, h * 0.17, rng.choice(("毕业证书", "毕业证", "毕业证书")), pen, align="m"
    )
    leading = size * rng.uniform(1.8, 2.1)
    last = prose(
        sheet,
        look,
        wording(sheet, facts, look),
        (left, h * 0.31, right),
        size,
        leading,
        limit=h * 0.64,
    )
    y = max(last + leading * 1.2, h * 0.7)
    edge = head(sheet, look, facts, left, y, size)
    foot(sheet, look, facts, right, y + leading * 0.5, size, edge)
    if rng.random() < 0.6:
        number_line(sheet, look, facts, w * 0.05, lower + h * rng.uniform(0.09, 0.15))
    else:
        number_line(sheet, look, facts, x, h * 0.92)


@certificate(
    "diploma_selfstudy", kind="diploma", ratio=(0.68, 0.74), forms=("selfstudy",), weight=3
)
def selfstudy(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """Self-study examinations: two issuers side by side at the foot."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    background(sheet, look)
    base = title(sheet, look, facts, w / 2, h * 0.15, w * rng.uniform(0.036, 0.044))
    size = w * rng.uniform(0.022, 0.025)
    left, right = w * 0.1, w * 0.9
    photo_left = rng.random() < 0.5
    if photo_left:
        photo(sheet, look, facts, left, h * 0.3, w * 0.12)
        left = w * 0.27
    leading = size * 2
    last = prose(
        sheet,
        look,
        wording(sheet, facts, look),
        (left, max(base + h * 0.12, h * 0.36), right),
        size,
        leading,
        limit=h * 0.64,
    )
    y = max(last + leading * 1.2, h * 0.68)
    issuer = f"{facts.person.province}高等教育自学考试委员会"
    sheet.text(w * 0.1, y, issuer, look.body(size * 0.92))
    office_seal(sheet, look, issuer, w * 0.1 + size * 8, y)
    foot(sheet, look, facts, w * 0.9, y, size)
    number_line(sheet, look, facts, w * 0.1, h * 0.92)

"""Certificates of professional qualification: 职业资格证书, 职业技能等级证书, 教师资格证书, 执业证."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ocr_moe.generation.dates import DateStyle
from ocr_moe.generation.documents.qualifications import Qualification, Sort
from ocr_moe.generation.layouts import setting
from ocr_moe.generation.layouts.forms import fitted, rule, spread
from ocr_moe.generation.layouts.heldout import band
from ocr_moe.generation.layouts.pieces import fill_in, office_seal, prose
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import paper, pictures, seals
from ocr_moe.generation.sheet import Colour, Pen, Sheet, TextRun

SCHEMA = "professional_qualification"
GREENS: tuple[Colour, ...] = ((60, 130, 90), (40, 100, 70), (110, 150, 120))
COLOURS: tuple[Colour, ...] = (*GREENS, (150, 110, 50), (170, 40, 44), (40, 80, 140))


class Entry(NamedTuple):
    """A labelled entry; `field` is None for what no schema asks for."""

    label: str
    value: str
    field: str | None
    english: str = ""


def of(*sorts: Sort) -> Callable[[Qualification], bool]:
    return lambda facts: facts.sort in sorts


def month_of(facts: Qualification, look: Look) -> str:
    """The birth as far as most of these certificates give it: year and month."""
    return look.dates.write(facts.person.birth[:7])


def told_by_number(sheet: Sheet) -> None:
    """Day of birth and sex stand in the identity number, wherever else they do."""
    box = sheet.box_of("身份证号")
    if box is not None:
        sheet.marks += [("性别", box), ("出生日期", box)]


def entries_of(sheet: Sheet, facts: Qualification, look: Look) -> list[Entry]:
    """The entries of a certificate in the order of its sort."""
    rng = sheet.rng
    person, write = facts.person, look.dates.write
    whole = facts.sort in ("vocational", "licensed") or rng.random() < 0.5
    birth = write(person.birth) if whole else month_of(facts, look)
    name = Entry("姓名", person.name, "姓名", "Full Name")
    sex = Entry("性别", person.sex, "性别", "Sex")
    born = Entry(
        "出生日期" if whole else rng.choice(("出生年月", "出生日期")),
        birth,
        "出生日期",
        "Date of Birth",
    )
    identity = Entry(
        rng.choice(("身份证号", "证件号码", "身份证号码", "证件号码")),
        person.number,
        "身份证号",
        "ID No.",
    )
    approved = write(facts.approved)
    if facts.sort == "professional":
        rows = [name, identity, sex, born]
        if facts.speciality:
            rows.append(
                Entry(
                    rng.choice(("专业", "专业类别", "专业")), facts.speciality, "专业", "Speciality"
                )
            )
        if facts.level:
            rows.append(
                Entry(
                    rng.choice(("级别", "资格级别", "级别")),
                    facts.level,
                    "级别",
                    "Qualification Level",
                )
            )
        rows.append(
            Entry(rng.choice(("批准日期", "授予日期")), approved, "批准日期", "Approval Date")
        )
        rows.append(Entry("管理号", facts.file_number, "管理号", "Administration No."))
        if facts.number:
            rows.append(Entry("证书编号", facts.number, "证书编号", "Certificate No."))
        return rows
    if facts.sort == "vocational":
        return [
            name,
            sex,
            born,
            Entry(
                "文化程度", rng.choice(("大专", "本科", "高中", "中专")), None, "Educational Level"
            ),
            Entry(
                rng.choice(("职业（工种）", "职业名称", "职业(工种)")),
                facts.name,
                "资格名称",
                "Occupation",
            ),
            Entry(rng.choice(("等级", "技能等级", "职业等级")), facts.level, "级别", "Skill Level"),
            Entry(
                "理论知识考试成绩",
                str(rng.randint(60, 96)),
                None,
                "Result of Theoretical Knowledge Test",
            ),
            Entry(
                "操作技能考核成绩",
                str(rng.randint(60, 96)),
                None,
                "Result of Operational Skill Test",
            ),
            Entry("评定成绩", rng.choice(("合格", "良好", "优秀")), None, "Result of Test"),
            Entry("证书编号", facts.number, "证书编号", "Certificate No."),
            Entry("身份证号", person.number, "身份证号", "ID No."),
            Entry("发证日期", approved, "批准日期", "Date of Issue"),
        ]
    if facts.sort == "skill":
        return [
            name,
            Entry("证件类型", "居民身份证", None, "ID Type"),
            Entry("证件号码", person.number, "身份证号", "ID No."),
            Entry("职业名称", facts.name, "资格名称", "Occupation"),
            Entry(rng.choice(("职业技能等级", "技能等级")), facts.level, "级别", "Skill Level"),
            Entry("证书编号", facts.number, "证书编号", "Certificate No."),
            Entry("发证日期", approved, "批准日期", "Date of Issue"),
        ]
    if facts.sort == "teacher":
        rows = [Entry("持证人", person.name, "姓名"), sex, born,
                Entry("民族", person.ethnicity + "族", None),
                Entry("身份证号码", person.number, "身份证号"),
                Entry("资格种类", facts.name, "资格名称")]  # fmt: skip
        if facts.speciality:
            rows.append(Entry("任教学科", facts.speciality, "专业"))
        rows.append(Entry("证书号码", facts.number, "证书编号"))
        return rows
    if facts.sort == "licensed":
        kind = {"医师资格": "类别", "护士执业": "类别", "律师执业": "执业类别"}[facts.name]
        number = {"医师资格": "证书编码", "护士执业": "护士执业证书编号", "律师执业": "执业证号"}[
            facts.name
        ]
        return [
            name,
            sex,
            born,
            Entry(rng.choice(("身份证号", "证件号码")), person.number, "身份证号"),
            Entry(kind, facts.speciality, "专业"),
            Entry(number, facts.number, "证书编号"),
        ]
    return [
        name,
        sex,
        born,
        Entry("身份证号", person.number, "身份证号"),
        Entry(rng.choice(("专业名称", "专业", "专业")), facts.speciality, "专业"),
        Entry(rng.choice(("资格名称", "专业技术职务任职资格", "任职资格")), facts.name, "资格名称"),
        Entry(rng.choice(("资格级别", "级别")), facts.level, "级别"),
        Entry(rng.choice(("批准时间", "批准日期", "授予时间")), approved, "批准日期"),
        Entry(rng.choice(("证书编号", "编号")), facts.number, "证书编号"),
    ]


TITLES = {
    "professional": "中华人民共和国专业技术人员职业资格证书",
    "vocational": "中华人民共和国职业资格证书",
    "skill": "职业技能等级证书",
    "teacher": "教师资格证书",
    "title": "专业技术职务任职资格证书",
}


def title_of(facts: Qualification) -> str:
    if facts.sort == "licensed":
        return {
            "医师资格": "医师资格证书",
            "护士执业": "护士执业证书",
            "律师执业": "中华人民共和国律师执业证",
        }[facts.name]
    return TITLES[facts.sort]


def portrait(
    sheet: Sheet, look: Look, facts: Qualification, x: float, y: float, width: float
) -> None:
    """The photograph, under a blind seal more often than not."""
    rng = sheet.rng
    height = width * rng.uniform(1.3, 1.42)
    picture = pictures.portrait(rng, round(width), round(height), facts.person.sex)
    sheet.image.paste(picture, (round(x), round(y)))
    if rng.random() < 0.6:
        seal = seals.steel_seal(sheet.book, look.title_face, rng, facts.issuer[-12:], round(width))
        sheet.stamp(seal, x + width * 0.9, y + height * 0.9)


def rows(
    sheet: Sheet,
    look: Look,
    entries: Sequence[Entry],
    box: tuple[float, float, float],
    size: float,
    step: float,
    *,
    wide: float = 0.0,
    lined: bool = False,
    english: bool = False,
    colon: str = "：",
) -> float:
    """Entries one below the other between left and right; returns the next baseline.

    `wide`: over which the labels are spread. `lined`: with a line under each value. `english`: with the
    label in English below.
    """
    left, y, right = box
    for entry in entries:
        form, fill = look.body(size), look.fill(size)
        fill.underline = False
        if entry.field in ("身份证号", "证书编号", "管理号"):
            fill = look.digits(size)
            fill.spacing = min(fill.spacing, 0.1)
        if wide:
            spread(sheet, entry.label, left, y, wide, form)
            end = left + max(wide, sheet.measure(entry.label, form))
        else:
            end = sheet.text(left, y, entry.label, form)[2]
        if colon:
            end = sheet.text(end + size * 0.1, y, colon, form)[2]
        start = end + size * 0.6
        fill = fitted(sheet, entry.value, fill, right - start)
        sheet.text(start, y, entry.value, fill, field=entry.field)
        if lined:
            rule(sheet, (150, 150, 150), (start, y + size * 0.3), (right, y + size * 0.3), width=1)
        if english and entry.english:
            small = Pen(look.latin_face, round(size * 0.6), look.body_ink)
            sheet.text(left, y + size * 0.85, entry.english, small)
        y += step
    told_by_number(sheet)
    return y


def heading(
    sheet: Sheet, look: Look, text: str, x: float, y: float, room: float, size: float
) -> None:
    pen = look.title(size, spacing=sheet.rng.uniform(0.02, 0.12))
    sheet.text(x, y, text, fitted(sheet, text, pen, room), align="m")


def grounds(sheet: Sheet, colour: Colour) -> None:
    rng = sheet.rng
    if rng.random() < 0.6:
        sheet.image.paste(paper.guilloche(rng, sheet.image, colour, rng.uniform(0.05, 0.16)))
    if rng.random() < 0.6:
        sheet.inset = paper.frame(rng, sheet.image, colour, rng.uniform(0.02, 0.035))


def issued_by(
    sheet: Sheet, look: Look, facts: Qualification, x: float, y: float, size: float,
    *, label: str = "", dated: bool = False,
) -> None:  # fmt: skip
    """Who issued it, under the seal, with the day below where it stands nowhere else."""
    rng = sheet.rng
    if label:
        end = sheet.text(x, y, f"{label}：", look.body(size))[2]
        pen = fitted(sheet, facts.issuer, look.fill(size), sheet.width - sheet.inset - size - end)
        pen.underline = False
        box = sheet.text(end + size * 0.2, y, facts.issuer, pen, field="发证单位")
    else:
        pen = fitted(sheet, facts.issuer, look.body(size), sheet.width * 0.42)
        box = sheet.text(x, y, facts.issuer, pen, field="发证单位", align="m")
    middle = (box[0] + box[2]) / 2
    if dated:
        when = look.foot_dates.write(facts.approved)
        sheet.text(middle, y + size * 1.9, when, look.body(size), field="批准日期", align="m")
    if rng.random() < 0.85:
        office_seal(sheet, look, facts.issuer[-14:], middle + size * rng.uniform(-1, 2), y + size * 0.5,
                    size=sheet.width * rng.uniform(0.1, 0.14))  # fmt: skip


@setting(
    "qualification_exam", Qualification, schema=SCHEMA, ratio=(0.66, 0.72), suits=of("professional")
)
def exam(sheet: Sheet, facts: Qualification, look: Look) -> None:
    """专业技术人员职业资格证书 of today: of what and by whom at the left, entries at the right."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    grounds(sheet, rng.choice(COLOURS))
    size = w * rng.uniform(0.0165, 0.019)
    side = round(w * 0.07)
    sheet.stamp(pictures.emblem(rng, side), w * 0.26, h * 0.16)
    pen = fitted(sheet, facts.name, look.title(w * 0.036, spacing=0.1), w * 0.34)
    sheet.text(w * 0.26, h * 0.32, facts.name, pen, align="m", field="资格名称")
    english = Pen(look.latin_face, round(size * 0.9), look.body_ink)
    sheet.text(w * 0.26, h * 0.38, "Professional Qualification Certificate", english, align="m")
    text = rng.choice(
        (
            "本证书由中华人民共和国人力资源和社会保障部批准颁发，表明持证人通过国家统一组织的考试，取得职业资格。",
            "本证书表明持证人通过国家统一组织的考试，取得相应的专业技术人员职业资格。",
        )
    )
    prose(
        sheet, look, [TextRun(text)], (w * 0.1, h * 0.47, w * 0.44), size, size * 1.8, limit=h * 0.7
    )
    sheet.text(w * 0.26, h * 0.9, facts.issuer, fitted(sheet, facts.issuer, look.body(size), w * 0.36),
               align="m", field="发证单位")  # fmt: skip
    office_seal(sheet, look, facts.issuer[-14:], w * 0.26, h * 0.84)
    portrait(sheet, look, facts, w * 0.68, h * 0.1, w * 0.12)
    entries = entries_of(sheet, facts, look)
    step = min(h * 0.066, h * 0.56 / len(entries))
    rows(sheet, look, entries, (w * 0.53, h * 0.42, w * 0.95), size, step, wide=size * 5.2,
         lined=rng.random() < 0.4)  # fmt: skip


@setting("qualification_page", Qualification, schema=SCHEMA, ratio=(1.36, 1.44),
         suits=of("professional", "skill", "title"))  # fmt: skip
def page(sheet: Sheet, facts: Qualification, look: Look) -> None:
    """An electronic certificate on an upright page: emblem, title, entries, issuer with seal."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    grounds(sheet, rng.choice(COLOURS))
    size = w * rng.uniform(0.023, 0.026)
    sheet.stamp(pictures.emblem(rng, round(w * 0.11)), w / 2, h * 0.11)
    heading(sheet, look, title_of(facts), w / 2, h * 0.2, w * 0.78, w * 0.042)
    if facts.sort == "professional":
        sheet.text(w / 2, h * 0.25, facts.name, look.title(w * 0.036), align="m", field="资格名称")
    portrait(sheet, look, facts, w * 0.7, h * 0.29, w * 0.16)
    entries = entries_of(sheet, facts, look)
    last = rows(sheet, look, entries, (w * 0.14, h * 0.32, w * 0.66), size, h * 0.047,
                wide=size * rng.choice((0, 6.2)))  # fmt: skip
    label = "发证机构" if facts.sort == "skill" else ""
    x = w * 0.3 if label else w * 0.64
    issued_by(sheet, look, facts, x, max(last + h * 0.05, h * 0.8), size, label=label)


@setting("qualification_booklet", Qualification, schema=SCHEMA, ratio=(0.68, 0.74),
         suits=of("vocational", "teacher", "licensed", "title"))  # fmt: skip
def booklet(sheet: Sheet, facts: Qualification, look: Look) -> None:
    """An open booklet: photograph and issuer on the left leaf, entries on the right one."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    colour = rng.choice(COLOURS)
    if rng.random() < 0.6:
        sheet.image.paste(paper.guilloche(rng, sheet.image, colour, rng.uniform(0.05, 0.16)))
    rule(sheet, (170, 170, 172), (w / 2, 0), (w / 2, h), width=2)
    size = w * rng.uniform(0.0165, 0.0185)
    portrait(sheet, look, facts, w * 0.18, h * 0.12, w * 0.13)
    heading(sheet, look, title_of(facts), w * 0.25, h * 0.5, w * 0.4, w * 0.026)
    if facts.sort == "licensed":
        sheet.marks.append(("资格名称", (w * 0.1, h * 0.46, w * 0.4, h * 0.52)))
    entries = entries_of(sheet, facts, look)
    dated = not any(entry.field == "批准日期" for entry in entries)
    label = rng.choice(
        ("发证机关", "发证单位", "认定机构" if facts.sort == "teacher" else "发证机关")
    )
    if rng.random() < 0.4:
        issued_by(sheet, look, facts, w * 0.08, h * 0.72, size, label=label)
        if dated:
            end = sheet.text(w * 0.08, h * 0.8, "发证日期：", look.body(size))[2]
            sheet.text(
                end,
                h * 0.8,
                look.foot_dates.write(facts.approved),
                look.body(size),
                field="批准日期",
            )
    else:
        issued_by(sheet, look, facts, w * 0.25, h * 0.72, size, dated=dated)
    english = facts.sort == "vocational" and rng.random() < 0.6
    step = min(h * 0.075, h * 0.8 / len(entries))
    rows(sheet, look, entries, (w * 0.54, h * 0.14, w * 0.96), size, step,
         wide=0 if english else size * rng.choice((0, 5.4)), lined=rng.random() < 0.4, english=english,
         colon="" if english else "：")  # fmt: skip


PROSE = {
    "teacher": (
        "{name}，{sex}，{birth}生，身份证号码{identity}。"
        "经认定，具备{qualification}条件，任教学科为{speciality}，特发此证。"
    ),
    "title": (
        "{name}，{sex}，{birth}出生，经评审委员会评审，"
        "于{approved}取得{speciality}专业{qualification}任职资格。"
    ),
}


@setting(
    "qualification_prose",
    Qualification,
    schema=SCHEMA,
    ratio=(0.68, 0.74),
    suits=lambda facts: facts.sort in PROSE and bool(facts.speciality),
    weight=0.5,
)
def sentence(sheet: Sheet, facts: Qualification, look: Look) -> None:
    """A certificate in one sentence."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    grounds(sheet, rng.choice(COLOURS))
    heading(sheet, look, title_of(facts), w / 2, h * 0.2, w * 0.7, w * 0.042)
    size = w * rng.uniform(0.022, 0.026)
    person = facts.person
    values = {
        "name": TextRun(person.name, "姓名", filled=True),
        "sex": TextRun(person.sex, "性别", filled=True),
        "birth": TextRun(month_of(facts, look), "出生日期", filled=True),
        "identity": TextRun(person.number, "身份证号", filled=True),
        "qualification": TextRun(facts.name, "资格名称", filled=True),
        "speciality": TextRun(facts.speciality, "专业", filled=True),
        "approved": TextRun(look.dates.write(facts.approved), "批准日期", filled=True),
    }
    runs = fill_in(PROSE[facts.sort], values, rng.choice(("", "", " ")))
    last = prose(
        sheet, look, runs, (w * 0.12, h * 0.34, w * 0.88), size, size * 1.9, limit=h * 0.62
    )
    dated = facts.sort == "teacher"
    issued_by(sheet, look, facts, w * 0.68, max(last + size * 3, h * 0.7), size, dated=dated)
    label = "证书编号：" if facts.sort == "title" else "证书号码："
    end = sheet.text(w * 0.12, h * 0.9, label, look.body(size * 0.8))[2]
    sheet.text(end + size * 0.2, h * 0.9, facts.number, look.digits(size * 0.8), field="证书编号")


@setting(
    "heldout_qualification_card",
    Qualification,
    schema=SCHEMA,
    ratio=(0.6, 0.64),
    suits=of("vocational", "skill", "licensed"),
    heldout=True,
)
def card(sheet: Sheet, facts: Qualification, look: Look) -> None:
    """A card with a coloured band on top, entries in two columns, photograph at the left."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    colour = rng.choice(COLOURS)
    band(sheet, colour, (0, 0, w, h * 0.17))
    pen = look.title(w * 0.034, spacing=0.1)
    pen.ink = (255, 255, 255)
    sheet.text(
        w / 2, h * 0.11, title_of(facts), fitted(sheet, title_of(facts), pen, w * 0.8), align="m"
    )
    if facts.sort == "licensed":
        sheet.marks.append(("资格名称", (w * 0.2, h * 0.05, w * 0.8, h * 0.13)))
    portrait(sheet, look, facts, w * 0.06, h * 0.26, w * 0.15)
    size = w * rng.uniform(0.0165, 0.0185)
    entries = [entry for entry in entries_of(sheet, facts, look) if "成绩" not in entry.label]
    half = -(-len(entries) // 2)
    colon = rng.choice(("：", ":"))
    for n, part in enumerate((entries[:half], entries[half:])):
        left = w * (0.26 + 0.36 * n)
        rows(sheet, look, part, (left, h * 0.3, left + w * 0.345), size, h * 0.085, colon=colon)
    dated = not any(entry.field == "批准日期" for entry in entries)
    issued_by(sheet, look, facts, w * 0.66, h * 0.84, size, dated=dated)


@setting(
    "heldout_qualification_table",
    Qualification,
    schema=SCHEMA,
    ratio=(1.36, 1.42),
    suits=of("professional", "teacher", "title"),
    heldout=True,
)
def table(sheet: Sheet, facts: Qualification, look: Look) -> None:
    """A ruled form: a label in one cell, its value in the next."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    heading(sheet, look, title_of(facts), w / 2, h * 0.14, w * 0.8, w * 0.044)
    entries = entries_of(sheet, facts, look)
    if facts.sort == "professional":
        entries.insert(4, Entry("资格名称", facts.name, "资格名称"))
    entries.append(Entry("发证机关", facts.issuer, "发证单位"))
    if not any(entry.field == "批准日期" for entry in entries):
        when = DateStyle("arabic", padded=True).write(facts.approved)
        entries.append(Entry("发证日期", when, "批准日期"))
    size = w * rng.uniform(0.021, 0.024)
    left, middle, right = w * 0.12, w * 0.36, w * 0.88
    top, step = h * 0.2, h * 0.052
    grey = (110, 110, 114)
    for n, entry in enumerate(entries):
        upper = top + n * step
        band(sheet, (240, 241, 244), (left, upper, middle, upper + step))
        sheet.draw.rectangle((left, upper, right, upper + step), outline=grey, width=2)
        rule(sheet, grey, (middle, upper), (middle, upper + step))
        sheet.text(
            (left + middle) / 2, upper + step * 0.63, entry.label, look.body(size), align="m"
        )
        fill = (
            look.digits(size)
            if entry.field in ("身份证号", "证书编号", "管理号")
            else look.fill(size)
        )
        fill.underline = False
        pen = fitted(sheet, entry.value, fill, right - middle - size)
        sheet.text(middle + size * 0.5, upper + step * 0.63, entry.value, pen, field=entry.field)
    told_by_number(sheet)
    office_seal(sheet, look, facts.issuer[-14:], w * 0.72, top + (len(entries) + 1) * step)

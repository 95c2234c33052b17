"""What a register says of a certificate: 学历证书电子注册备案表, reports of verification.

The layouts `heldout_…` check what was tuned on the others.
"""

from __future__ import annotations

from ocr_moe.generation import payloads
from ocr_moe.generation.documents.graduates import Graduate, draw_name
from ocr_moe.generation.layouts import certificate
from ocr_moe.generation.layouts.diplomas import TITLES
from ocr_moe.generation.layouts.heldout import band
from ocr_moe.generation.layouts.pieces import number_size, photo, printed, prose
from ocr_moe.generation.look import Look
from ocr_moe.generation.ornaments import pictures
from ocr_moe.generation.sheet import Sheet, TextRun

CODE_CHARACTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def verification_code(sheet: Sheet) -> str:
    """The code with which a form is checked on line: not the certificate's number."""
    code = "".join(sheet.rng.choice(CODE_CHARACTERS) for _ in range(16))
    return " ".join(code[n : n + 4] for n in range(0, 16, 4)) if sheet.rng.random() < 0.5 else code


def updated(facts: Graduate) -> str:
    """When the form was made out: years after the certificate."""
    return f"{int(facts.issued[:4]) + 2}年3月8日"


def pairs_of(sheet: Sheet, facts: Graduate, look: Look) -> list[tuple[str, TextRun]]:
    """The entries of the form in their usual order."""
    values = printed(facts, look)
    issued = TextRun(look.dates.write(facts.issued), "毕业日期")
    name, _ = draw_name(sheet.rng, 1958)
    pairs = [
        ("姓名", values["name"]),
        ("性别", values["sex"]),
        ("出生日期", values["birth"]),
        ("入学日期", values["start"]),
        ("毕（结）业日期", issued),
        ("学校名称", values["school"]),
        ("专业", values["major"]),
        ("学历类别", TextRun("".join(TITLES[facts.form][:1]))),
        ("学制", TextRun(f"{facts.years} 年")),
        ("学习形式", TextRun(sheet.rng.choice(("全日制", "函授", "业余", "普通全日制")))),
        ("层次", values["level"]),
        ("毕（结）业", TextRun("毕业")),
        ("校（院）长姓名", TextRun(name)),
    ]
    if look.numbered:
        pairs.insert(11, ("证书编号", TextRun(facts.number, "证书编号")))
    return pairs


@certificate("register_table", kind="diploma", ratio=(1.36, 1.44), further="registry")
def table(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """The form of today: entries two to a row, some over the full width, photograph at the right."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    size = w * rng.uniform(0.017, 0.02)
    text = rng.choice(("教育部学历证书电子注册备案表", "学历证书电子注册备案表"))
    sheet.text(w / 2, h * 0.08, text, look.title(w * 0.036), align="m")
    sheet.text(w * 0.1, h * 0.115, f"更新日期：{updated(facts)}", look.body(size * 0.85))
    left, right, top = w * 0.1, w * 0.9, h * 0.14
    step = h * rng.uniform(0.036, 0.042)
    wide = w * 0.14
    photo(sheet, look, facts, right - wide, top + step * 0.2, wide)
    middle = left + (right - left - wide) / 2
    n, column = 0, 0
    for label, run in pairs_of(sheet, facts, look):
        full = label in ("学校名称", "证书编号", "专业") or len(run.text) > 9
        if full and column:
            n, column = n + 1, 0
        x = middle if column else left
        y = top + (n + 0.64) * step
        pen = look.digits(number_size(sheet)) if label == "证书编号" else look.fill(size)
        pen.underline = False
        sheet.text(x + size * 0.4, y, label, look.body(size))
        sheet.text(x + size * 7.4, y, run.text, pen, field=run.field)
        below = top + (n + 1) * step
        sheet.draw.line((left, below, right - wide - size, below), (190, 190, 195), 1)
        n, column = (n + 1, 0) if full or column else (n, 1)
    y = top + (n + 2) * step
    code = verification_code(sheet)
    sheet.text(left, y, f"在线验证码：{code}", look.body(size))
    symbol = pictures.qr_code(rng, round(w * 0.12), lambda _: payloads.of_register(code))
    sheet.image.paste(symbol, (round(right - w * 0.13), round(y)))
    notes = (
        "注意事项：",
        "1、《备案表》是依据《高等学校学生学籍学历电子注册办法》对学历证书电子注册复核备案的结果。",
        "2、备案表内容如有修改，请以最新在线验证的内容为准。",
        f"3、本表在线验证有效期由报告权属人设置，验证日期{updated(facts)}。",
    )
    for k, note in enumerate(notes):
        sheet.text(left, y + h * 0.05 + k * size * 1.8, note, look.body(size * 0.72))


@certificate("verification_table", kind="degree", ratio=(1.36, 1.44), further="registry")
def verification(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """中国高等教育学位在线验证报告: a form whose number is the degree certificate's."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    size = w * rng.uniform(0.019, 0.022)
    values = printed(facts, look)
    text = rng.choice(
        ("中国高等教育学位在线验证报告", "学位证书认证报告", "中国高等教育学位认证报告")
    )
    sheet.text(w / 2, h * 0.09, text, look.title(w * 0.034), align="m")
    sheet.text(
        w * 0.62, h * 0.125, f"报告编号：{rng.randrange(10**12, 10**13)}", look.body(size * 0.8)
    )
    left, step = w * 0.1, h * rng.uniform(0.046, 0.052)
    photo(sheet, look, facts, w * 0.75, h * 0.16, w * 0.14)
    name, _ = draw_name(rng, 1958)
    rows = [
        ("姓　　名", values["name"]),
        ("性　　别", values["sex"]),
        ("出生日期", values["birth"]),
        ("获学位日期", TextRun(look.dates.write(facts.issued), "毕业日期")),
        ("学位授予单位", values["school"]),
        ("学位名称", values["degree"]),
        ("学科/专业", values["major"]),
        ("校（院、所）长", TextRun(name)),
    ]
    if look.numbered:
        rows.append(("学位证书编号", TextRun(facts.number, "证书编号")))
    colon = rng.choice(("", "："))
    for n, (label, run) in enumerate(rows):
        y = h * 0.19 + n * step
        pen = look.digits(number_size(sheet)) if "编号" in label else look.fill(size)
        pen.underline = False
        sheet.text(left, y, label + colon, look.body(size))
        sheet.text(left + size * 8.2, y, run.text, pen, field=run.field)
    y = h * 0.19 + len(rows) * step + h * 0.04
    sheet.text(left, y, f"验证日期：{updated(facts)}", look.body(size * 0.9))
    sheet.text(left, y + step, f"在线验证码：{verification_code(sheet)}", look.body(size * 0.9))


@certificate(
    "heldout_register_columns", kind="diploma", ratio=(0.68, 0.74), heldout=True, further="registry"
)
def columns(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """A landscape print of the form, two columns with shaded labels."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    size = w * rng.uniform(0.0155, 0.0175)
    sheet.text(w / 2, h * 0.1, "教育部学历证书电子注册备案表", look.title(w * 0.028), align="m")
    left, top, step = w * 0.08, h * 0.17, h * 0.085
    wide = w * 0.11
    photo(sheet, look, facts, w * 0.81, top, wide)
    pitch = w * 0.36
    for n, (label, run) in enumerate(pairs_of(sheet, facts, look)):
        x, y = left + pitch * (n % 2), top + step * (n // 2)
        band(sheet, (236, 239, 243), (x, y, x + size * 7.6, y + step * 0.9))
        sheet.text(x + size * 0.4, y + step * 0.6, label, look.body(size))
        pen = look.digits(number_size(sheet) * 0.9) if label == "证书编号" else look.fill(size)
        pen.underline = False
        room = pitch - size * 8.4
        pen.size = round(pen.size * min(1.0, room / sheet.measure(run.text, pen)))
        sheet.text(x + size * 8, y + step * 0.6, run.text, pen, field=run.field)
    sheet.text(left, h * 0.84, f"在线验证码 {verification_code(sheet)}", look.body(size))
    sheet.text(left, h * 0.89, f"打印日期 {updated(facts)}", look.body(size * 0.8))


@certificate(
    "heldout_verification_prose",
    kind="diploma",
    ratio=(1.36, 1.44),
    heldout=True,
    further="registry",
)
def verification_prose(sheet: Sheet, facts: Graduate, look: Look) -> None:
    """中国高等教育学历认证报告 in prose; its own number stands above it."""
    rng, w, h = sheet.rng, sheet.width, sheet.height
    size = w * rng.uniform(0.026, 0.03)
    values = printed(facts, look)
    sheet.text(w / 2, h * 0.12, "中国高等教育学历认证报告", look.title(w * 0.045), align="m")
    sheet.text(
        w * 0.6, h * 0.17, f"报告编号：{rng.randrange(10**9, 10**10)}", look.body(size * 0.7)
    )
    issued = TextRun(look.dates.write(facts.issued), "毕业日期")
    runs = [
        values["name"],
        TextRun("，"),
        values["sex"],
        TextRun("，"),
        values["birth"],
        TextRun("出生，"),
        issued,
        TextRun("毕业于"),
        values["school"],
        values["major"],
        TextRun("专业，学历层次为"),
        values["level"],
        TextRun("。"),
    ]
    if look.numbered:
        runs += [TextRun("毕业证书编号："), TextRun(facts.number, "证书编号"), TextRun("。")]
    runs.append(TextRun("经核查，该学历证书信息与国家学历数据库中的记录一致。"))
    leading = size * 2.1
    last = prose(sheet, look, runs, (w * 0.12, h * 0.26, w * 0.88), size, leading, limit=h * 0.6)
    sheet.text(w * 0.5, last + leading * 2, "学历认证中心", look.body(size))
    sheet.text(w * 0.5, last + leading * 3, updated(facts), look.body(size))

"""Transcripts of records: ruled or not, in blocks side by side, over several pages."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ocr_moe.generation.dates import english_date
from ocr_moe.generation.documents.transcripts import Transcript, row_of
from ocr_moe.generation.layouts import setting
from ocr_moe.generation.layouts.forms import fitted, rule
from ocr_moe.generation.layouts.pieces import office_seal
from ocr_moe.generation.look import Look
from ocr_moe.generation.sheet import Pen, Sheet

SCHEMA = "transcript"
FINE = 1.3
"""Of a sheet in fine print, as it is scanned."""
INK = (28, 28, 30)


@dataclass(frozen=True)
class Style:
    """How a table of courses is set."""

    columns: tuple[str, ...] = ("序号", "课程名称", "学分", "成绩", "学期")
    blocks: int = 1
    """Groups of columns side by side."""
    ruled: bool = True
    headings: str = "plain"
    """`plain`; `two_lines`: 课程 over 名称; `bilingual`: the same in English underneath."""
    repeated: bool = True
    """Whether later pages have the headings again."""
    centred: bool = False
    terms: bool = False
    """Whether lines of their own say to which term the rows under them belong."""
    sums: bool = False
    """Whether a row of sums stands at the end."""
    pitch: float = 1.9
    """Distance between rows, in type sizes."""


HEADINGS = {
    "序号": ("序号", "No."),
    "课程名称": ("课程名称", "Course Title"),
    "课程性质": ("课程性质", "Type"),
    "学时": ("学时", "Hours"),
    "学分": ("学分", "Credits"),
    "成绩": ("成绩", "Grade"),
    "绩点": ("绩点", "Points"),
    "学期": ("学期", "Term"),
}
WIDTHS = {
    "序号": (1.2, 1.0),
    "课程名称": (6.4, 6.6),
    "课程性质": (2.4, 2.6),
    "学时": (1.4, 1.5),
    "学分": (1.4, 1.8),
    "成绩": (1.4, 1.5),
    "绩点": (1.4, 1.6),
    "学期": (2.8, 2.6),
}
"""Of the columns, in parts of a block, in Chinese and in English."""


class Courses:
    """The table of a transcript being set on a page."""

    def __init__(
        self, sheet: Sheet, facts: Transcript, style: Style, pen: Pen, left: float, right: float
    ) -> None:
        self._sheet, self._facts, self._style, self._pen = sheet, facts, style, pen
        self._left, self._right = left, right
        tongue = int(facts.english)
        self._widths = [WIDTHS[name][tongue] for name in style.columns]
        self._unit = (right - left) / style.blocks / sum(self._widths)

    def draw(self, y: float, part: range, *, first: bool = True, last: bool = True) -> float:
        """The rows of these numbers under their headings; returns the lower edge."""
        style, size = self._style, self._pen.size
        pitch = style.pitch * size
        top = y
        if first or style.repeated:
            height = pitch * (1.0 if style.headings == "plain" else 1.6)
            for block in range(style.blocks):
                for x, width, name in self._columns(block):
                    self._heading(x, width, y + height / 2, name)
            self._rule(y)
            y += height
        self._rule(y)
        deep = -(-len(part) // style.blocks)
        term = ""
        for index in range(deep):
            if style.terms and style.blocks == 1:
                now = self._facts.courses[part[index]].term
                if now[:9] != term[:9]:
                    self._cell_at((self._left + self._right) / 2, y + pitch / 2, self._of_term(now))
                    y += pitch
                    self._rule(y)
                    term = now
            for block in range(style.blocks):
                at = block * deep + index
                if at < len(part):
                    row = row_of(self._facts, part[at])
                    for x, width, name in self._columns(block):
                        self._cell(x, width, y + pitch / 2, row[name])
            y += pitch
            self._rule(y)
        if style.sums and last:
            word = "Total" if self._facts.english else "合计"
            for x, width, name in self._columns(0):
                text = {"课程名称": word, "学分": self._facts.credits}.get(name, "")
                self._cell(x, width, y + pitch / 2, text)
            y += pitch
            self._rule(y)
        if style.ruled and not style.terms:
            for block in range(style.blocks):
                for x, _, _ in self._columns(block):
                    rule(self._sheet, INK, (x, top), (x, y))
            rule(self._sheet, INK, (self._right, top), (self._right, y))
        return y

    def _of_term(self, term: str) -> str:
        if self._facts.english:
            return f"Academic Year {term[:9]}"
        return f"{term[:9]}学年"

    def _columns(self, block: int) -> list[tuple[float, float, str]]:
        """(left edge, width, name) of a block's columns."""
        x = self._left + block * (self._right - self._left) / self._style.blocks
        found = []
        for name, part in zip(self._style.columns, self._widths, strict=True):
            found.append((x, part * self._unit, name))
            x += part * self._unit
        return found

    def _heading(self, x: float, width: float, y: float, name: str) -> None:
        half = self._pen.size * 0.62
        chinese, english = HEADINGS[name]
        text = english if self._facts.english else chinese
        if self._style.headings == "bilingual":
            self._cell(x, width, y - half, chinese)
            self._cell(x, width, y + half, english)
        elif self._style.headings == "two_lines" and len(text) > 3:
            middle = text.find(" ") if " " in text else len(text) // 2
            self._cell(x, width, y - half, text[:middle])
            self._cell(x, width, y + half, text[middle:].strip())
        else:
            self._cell(x, width, y, text)

    def _cell(self, x: float, width: float, y: float, text: str) -> None:
        pen = (
            fitted(self._sheet, text, self._pen, width - self._pen.size * 0.6)
            if text
            else self._pen
        )
        if self._style.centred:
            self._sheet.text(x + width / 2, y + pen.size * 0.36, text, pen, align="m")
        else:
            self._sheet.text(x + self._pen.size * 0.45, y + pen.size * 0.36, text, pen)

    def _cell_at(self, x: float, y: float, text: str) -> None:
        self._sheet.text(x, y + self._pen.size * 0.36, text, self._pen, align="m")

    def _rule(self, y: float) -> None:
        if self._style.ruled:
            rule(self._sheet, INK, (self._left, y), (self._right, y))


def labels_of(sheet: Sheet, facts: Transcript) -> list[tuple[str, str, str]]:
    """(label, value, field) of the student's data."""
    rng = sheet.rng
    if facts.english:
        pairs = [
            ("Name", facts.name, "姓名"),
            (rng.choice(("Student No.", "Student ID")), facts.number, "学号"),
            ("Major", facts.major, "专业"),
        ]
        if rng.random() < 0.5:
            pairs.append(("Date of Enrollment", english_date(facts.start), "入学日期"))
        return pairs
    year, month = facts.start.split("-")
    pairs = [
        ("姓名", facts.name, "姓名"),
        ("学号", facts.number, "学号"),
        (rng.choice(("学院", "院系", "所在学院")), facts.college, "学院"),
        ("专业", facts.major, "专业"),
    ]
    if rng.random() < 0.6:
        label = rng.choice(("入学日期", "入学时间", "入学年月"))
        pairs.append((label, f"{year}年{int(month)}月", "入学日期"))
    return pairs


def head(
    sheet: Sheet, facts: Transcript, look: Look, y: float, left: float, right: float, size: float,
    *, across: int = 3,
) -> float:  # fmt: skip
    """School, title and the student's data in rows of so many; returns where the table may begin."""
    rng = sheet.rng
    middle = (left + right) / 2
    pen = look.title(size * 2)
    pen.ink = INK
    title = "TRANSCRIPT" if facts.english else rng.choice(("学生成绩单", "学生成绩表", "成绩单"))
    joint = not facts.english and rng.random() < 0.4
    if joint:
        whole = facts.school + title
        pen = fitted(sheet, whole, pen, right - left)
        x = middle - sheet.measure(whole, pen) / 2
        sheet.text(x, y, facts.school, pen, field="学校")
        sheet.text(x + sheet.measure(facts.school, pen), y, title, pen)
    else:
        sheet.text(middle, y, facts.school, fitted(sheet, facts.school, pen, right - left),
                   align="m", field="学校")  # fmt: skip
        y += size * 3
        smaller = replace(pen, size=round(size * 1.6))
        sheet.text(middle, y, title, smaller, align="m")
    y += size * 3
    colon = ": " if facts.english else "："
    body = Pen(look.body_face, round(size * 1.05), INK)
    step = (right - left) / across
    pairs = labels_of(sheet, facts)
    for n, (label, value, name) in enumerate(pairs):
        x = left + step * (n % across)
        at = y + size * 1.9 * (n // across)
        end = sheet.text(x, at, label + colon, body)[2]
        pen = fitted(sheet, value, body, x + step - end - size)
        sheet.text(end + size * 0.2, at, value, pen, field=name)
    return y + size * 1.9 * ((len(pairs) - 1) // across) + size * 1.4


def foot(
    sheet: Sheet, facts: Transcript, look: Look, y: float, left: float, right: float, size: float
) -> None:
    """Sums, the office with its seal, and the day."""
    rng = sheet.rng
    body = Pen(look.body_face, round(size * 1.05), INK)
    colon = ": " if facts.english else "："
    sums = []
    if rng.random() < 0.8:
        label = "Total credits" if facts.english else rng.choice(("总学分", "已修学分", "总学分"))
        sums.append((label, facts.credits, "总学分"))
    if rng.random() < 0.7:
        label = "GPA" if facts.english else rng.choice(("平均学分绩点", "平均绩点", "平均学分绩点"))
        sums.append((label, facts.average, "平均学分绩点"))
    x = left
    for label, value, name in sums:
        end = sheet.text(x, y, label + colon, body)[2]
        x = sheet.text(end + size * 0.2, y, value, body, field=name)[2] + size * 4
    office = (
        rng.choice(("Registrar", "Office of Academic Affairs"))
        if facts.english
        else rng.choice(("教务处", "教务处（章）", "教务处(章)"))
    )
    x = left + (right - left) * 0.78
    sheet.text(x, y + size * 1.2, office, body, align="m")
    year, month, day = facts.issued.split("-")
    when = (
        english_date(facts.issued)
        if facts.english
        else rng.choice((f"{year}年{int(month)}月{int(day)}日", f"{year}-{month}-{day}"))
    )
    sheet.text(x, y + size * 3.1, when, body, align="m", field="出具日期")
    if not facts.english and rng.random() < 0.7:
        office_seal(sheet, look, facts.school + "教务处", x, y + size * 2, size=size * 7)


def whole(
    sheet: Sheet, facts: Transcript, look: Look, style: Style, *, margin: float = 0.06, size: float
) -> None:
    """A transcript on one page."""
    w, h = sheet.width, sheet.height
    left, right = w * margin, w * (1 - margin)
    across = 4 if w > h else 3
    top = head(
        sheet, facts, look, h * 0.06 if h > w else h * 0.08, left, right, size, across=across
    )
    deep = -(-len(facts.courses) // style.blocks) + 3 + (4 if style.terms else 0)
    room = h * 0.9 - size * 5 - top
    style = replace(style, pitch=min(style.pitch, room / deep / size))
    pen = Pen(look.body_face, round(min(size, size * style.pitch / 1.35)), INK)
    table = Courses(sheet, facts, style, pen, left, right)
    bottom = table.draw(top, range(len(facts.courses)))
    sheet.columns["课程"] = style.columns
    foot(sheet, facts, look, bottom + size * 2, left, right, size)


FULL = ("序号", "课程名称", "课程性质", "学时", "学分", "成绩", "绩点", "学期")


@setting("transcript_table", Transcript, schema=SCHEMA, ratio=(1.38, 1.43), scale=FINE)
def table(sheet: Sheet, facts: Transcript, look: Look) -> None:
    """One ruled table of some columns."""
    rng = sheet.rng
    columns = rng.choice(
        (
            ("序号", "课程名称", "学分", "成绩", "学期"),
            ("序号", "课程名称", "课程性质", "学分", "成绩", "学期"),
            ("课程名称", "课程性质", "学时", "学分", "成绩", "绩点"),
            FULL,
        )
    )
    style = Style(
        columns, centred=rng.random() < 0.5, sums=rng.random() < 0.3 and "序号" in columns
    )
    whole(sheet, facts, look, style, size=sheet.width * 0.0175)


@setting("transcript_blocks", Transcript, schema=SCHEMA, ratio=(1.38, 1.43), scale=FINE)
def blocks(sheet: Sheet, facts: Transcript, look: Look) -> None:
    """Two groups of columns side by side."""
    rng = sheet.rng
    columns = rng.choice((("课程名称", "学分", "成绩"), ("序号", "课程名称", "学分", "成绩")))
    style = Style(columns, blocks=2, ruled=rng.random() < 0.7, centred=rng.random() < 0.5)
    whole(sheet, facts, look, style, size=sheet.width * 0.0165)


@setting("transcript_terms", Transcript, schema=SCHEMA, ratio=(1.38, 1.43), scale=FINE, weight=0.7)
def terms(sheet: Sheet, facts: Transcript, look: Look) -> None:
    """Rows under lines that name the year, without rules or with level ones alone."""
    rng = sheet.rng
    columns = rng.choice(
        (("课程名称", "课程性质", "学分", "成绩"), ("课程名称", "学分", "成绩", "绩点"))
    )
    style = Style(columns, ruled=rng.random() < 0.4, terms=True, centred=rng.random() < 0.3)
    whole(sheet, facts, look, style, size=sheet.width * 0.0175, margin=0.09)


@setting(
    "heldout_transcript_wide",
    Transcript,
    schema=SCHEMA,
    ratio=(0.68, 0.72),
    scale=FINE,
    heldout=True,
)
def wide(sheet: Sheet, facts: Transcript, look: Look) -> None:
    """A landscape page with three groups of columns."""
    style = Style(
        ("课程名称", "学分", "成绩"), blocks=3, ruled=True, centred=sheet.rng.random() < 0.5
    )
    whole(sheet, facts, look, style, size=sheet.width * 0.0125, margin=0.04)


@setting(
    "heldout_transcript_bilingual",
    Transcript,
    schema=SCHEMA,
    ratio=(1.38, 1.43),
    scale=FINE,
    heldout=True,
    suits=lambda facts: not facts.english,
)
def bilingual(sheet: Sheet, facts: Transcript, look: Look) -> None:
    """Headings in two languages, or over two lines."""
    rng = sheet.rng
    columns = ("课程名称", "学时", "学分", "成绩", "学期")
    headings = rng.choice(("bilingual", "two_lines"))
    style = Style(columns, headings=headings, ruled=rng.random() < 0.5, centred=rng.random() < 0.5)
    whole(sheet, facts, look, style, size=sheet.width * 0.0175)

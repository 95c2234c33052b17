"""Transcripts of records, drawn for tests: ruled or not, in blocks side by side, over several pages."""

from __future__ import annotations

import io
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw, ImageFont

from ocr_moe.generation.damage import damage, encode
from ocr_moe.generation.fonts import FontBook, Typeface, load

_FIRST = [
    "高等数学",
    "线性代数",
    "概率论与数理统计",
    "大学物理",
    "普通化学",
    "有机化学",
    "分析化学",
    "大学英语",
    "思想道德修养与法律基础",
    "中国近现代史纲要",
    "马克思主义基本原理",
    "工程制图",
    "理论力学",
    "材料力学",
    "结构力学",
    "流体力学",
    "电路原理",
    "数字逻辑",
    "数据结构",
    "操作系统",
    "计算机网络",
    "数据库系统概论",
    "编译原理",
    "软件工程",
    "微观经济学",
    "宏观经济学",
    "会计学原理",
    "财务管理",
    "市场营销学",
    "国际贸易实务",
    "民法学",
    "刑法学",
    "遗传学",
    "细胞生物学",
    "植物生理学",
    "生物化学",
    "体育",
    "军事理论",
    "形势与政策",
    "大学生心理健康教育",
    "创新创业基础",
    "毕业实习",
    "毕业设计",
    "金工实习",
    "文献检索",
    "土力学与地基基础",
    "测量学",
    "建筑材料",
]
_LATER = ("", "", "", "(上)", "(下)", "(一)", "(二)", "实验", "A", "课程设计")
_ENGLISH = [
    "Advanced Mathematics",
    "Linear Algebra",
    "Probability and Statistics",
    "College Physics",
    "Organic Chemistry",
    "College English",
    "Engineering Drawing",
    "Theoretical Mechanics",
    "Strength of Materials",
    "Data Structures",
    "Operating Systems",
    "Computer Networks",
    "Introduction to Database Systems",
    "Microeconomics",
    "Financial Management",
    "International Trade Practice",
    "Cell Biology",
    "Physical Education",
    "Graduation Project",
    "Military Theory",
]
_NAMES = ("林书瑶", "陈思远", "欧阳明", "王小丽", "赵子轩", "李雨桐")
_MAJORS = ("材料科学与工程", "土木工程", "会计学", "临床医学", "计算机科学与技术")


@dataclass(frozen=True)
class Style:
    """How a transcript is set."""

    rows: int = 20
    blocks: int = 1
    """Groups of columns side by side."""
    pages: int = 1
    ruled: bool = True
    headings: str = "plain"
    """`plain`; `two_lines`: 课程 over 名称; `bilingual`: the same in English underneath."""
    repeated: bool = True
    """Whether later pages have the headings again."""
    english: bool = False
    numbered: bool = True
    centred: bool = False
    terms: bool = False
    """Whether lines of their own say to which term the rows under them belong."""
    sums: bool = False
    """Whether a row of sums stands at the end."""
    level: str = "clean"
    pitch: float = 1.9
    """Distance between rows, in type sizes."""


@dataclass(frozen=True)
class Transcript:
    """Pages with what they say."""

    pages: tuple[bytes, ...]
    """JPEG files."""
    header: dict[str, str]
    rows: tuple[dict[str, str], ...]


def _columns(style: Style) -> list[tuple[str, str, float]]:
    """(name of the column, heading, width in parts of a block)."""
    if style.english:
        columns = [
            ("课程名称", "Course Title", 6.0),
            ("学分", "Credits", 1.8),
            ("成绩", "Grade", 1.5),
        ]
        number = ("序号", "No.", 1.0)
    else:
        columns = [("课程名称", "课程名称", 5.5), ("学分", "学分", 1.3), ("成绩", "成绩", 1.3)]
        number = ("序号", "序号", 1.2)
    if style.blocks == 1:
        columns.append(("学期", "Term" if style.english else "学期", 2.4))
    return [number, *columns] if style.numbered else columns


def _drawn_rows(rng: Random, style: Style) -> list[dict[str, str]]:
    names: dict[str, None] = {}
    while len(names) < style.rows:
        if style.english:
            name = rng.choice(_ENGLISH)
            names.setdefault(
                name if name not in names else f"{name} {rng.choice(['I', 'II', 'III'])}"
            )
        else:
            names.setdefault(rng.choice(_FIRST) + rng.choice(_LATER))
    rows = []
    for index, name in enumerate(names):
        year = 2018 + index * 4 // style.rows
        row = {
            "序号": str(index + 1),
            "课程名称": name,
            "学分": rng.choice(["1", "2", "3", "4", "1.5", "2.5", "5.5"]),
            "成绩": rng.choice(
                [str(rng.randint(60, 99))] * 5 + (["A-", "B+"] if style.english else ["优", "良"])
            ),
            "学期": f"{year}-{year + 1}-{index % 2 + 1}",
        }
        rows.append({name: row[name] for name, *_ in _columns(style)})
    return rows


def draw(seed: int, style: Style) -> Transcript:
    """Equal arguments give equal bytes, where the same typefaces are installed."""
    rng = Random(f"transcript {seed}")
    book = FontBook.discover()
    face = rng.choice(book.of("song", "hei"))
    rows = _drawn_rows(rng, style)
    year = rng.randint(2014, 2020)
    credits = sum(float(row["学分"]) for row in rows)
    header = {
        "姓名": rng.choice(_NAMES),
        "学号": "".join(rng.choice("0123456789") for _ in range(10)),
        "专业": rng.choice(_MAJORS),
        "总学分": f"{credits:g}",
        "日期": f"{year + 4}-06-{rng.randint(10, 30)}",
    }
    each = -(-len(rows) // style.pages)
    pages = []
    for number in range(style.pages):
        page = _Page(rng, style, book, face)
        page.draw(number, header, rows[number * each : (number + 1) * each])
        result = damage(page.image, style.level, rng)
        pages.append(encode(result.image, int(result.settings["jpeg"])))
    return Transcript(tuple(pages), header, tuple(rows))


class _Page:
    def __init__(self, rng: Random, style: Style, book: FontBook, face: Typeface) -> None:
        self.image = Image.new("RGB", (1500, 2120), (252, 252, 250))
        self._draw = ImageDraw.Draw(self.image)
        self._rng, self._style, self._book, self._face = rng, style, book, face
        self._size = 30 if style.blocks == 1 else 26 if style.blocks == 2 else 21

    def draw(self, number: int, header: dict[str, str], rows: list[dict[str, str]]) -> None:
        y = 110.0
        if number == 0:
            self._text(750, y, "东海理工大学", 54, "m")
            title = "TRANSCRIPT" if self._style.english else "学生成绩单"
            self._text(750, y + 80, title, 42, "m")
            labels = (
                ("Name: ", "Student No.: ", "Major: ")
                if self._style.english
                else ("姓名：", "学号：", "专业：")
            )
            for x, label, name in zip(
                (90, 500, 920), labels, ("姓名", "学号", "专业"), strict=True
            ):
                self._text(x, y + 170, label + header[name], 32)
            y += 230
        else:
            self._text(750, y, f"东海理工大学学生成绩单（续）    {header['姓名']}", 28, "m")
            y += 60
        y = self._table(y, number, rows)
        last = number == self._style.pages - 1
        if last:
            label = "Total credits: " if self._style.english else "总学分："
            self._text(90, y + 60, label + header["总学分"], 30)
            year, month, day = header["日期"].split("-")
            self._text(950, y + 110, "教务处(章)", 30)
            self._text(950, y + 160, f"{year}年{int(month)}月{int(day)}日", 30)
        else:
            self._text(750, 2050, f"第{number + 1}页", 24, "m")

    def _table(self, y: float, number: int, rows: list[dict[str, str]]) -> float:
        style, size = self._style, self._size
        left, right = 80.0, 1420.0
        columns = _columns(style)
        width = (right - left) / style.blocks
        unit = width / sum(part for *_, part in columns)
        pitch = style.pitch * size
        top = y
        if number == 0 or style.repeated:
            lines = 1 if style.headings == "plain" else 2
            height = pitch * (1.0 if lines == 1 else 1.6)
            for block in range(style.blocks):
                x = left + block * width
                for name, heading, part in columns:
                    self._heading(x, part * unit, y + height / 2, name, heading)
                    x += part * unit
            self._rule(left, right, y)
            y += height
        self._rule(left, right, y)
        deep = -(-len(rows) // style.blocks)
        bottom = y
        for index in range(deep):
            if style.terms and style.blocks == 1 and index % 8 == 0:
                self._text(
                    (left + right) / 2,
                    bottom + pitch / 2,
                    f"{2018 + index // 8}学年第{index // 8 % 2 + 1}学期",
                    size,
                    "m",
                )
                bottom += pitch
                self._rule(left, right, bottom)
            for block in range(style.blocks):
                at = block * deep + index
                if at >= len(rows):
                    continue
                x = left + block * width
                for name, _, part in columns:
                    self._cell(x, part * unit, bottom + pitch / 2, rows[at][name])
                    x += part * unit
            bottom += pitch
            self._rule(left, right, bottom)
        if style.sums and number == style.pages - 1:
            total = sum(float(row["学分"]) for row in rows)
            x = left
            for name, _, part in columns:
                word = {"课程名称": "Total" if style.english else "合计", "学分": f"{total:g}"}.get(
                    name, ""
                )
                self._cell(x, part * unit, bottom + pitch / 2, word)
                x += part * unit
            bottom += pitch
            self._rule(left, right, bottom)
        if style.ruled and not style.terms:
            x = left
            for _ in range(style.blocks):
                for _, _, part in columns:
                    self._draw.line((x, top, x, bottom), fill=(40, 40, 40), width=2)
                    x += part * unit
            self._draw.line((right, top, right, bottom), fill=(40, 40, 40), width=2)
        return bottom

    def _heading(self, x: float, width: float, y: float, name: str, heading: str) -> None:
        half = self._size * 0.62
        two = self._style.headings
        english = {
            "序号": "No.",
            "课程名称": "Course",
            "学分": "Credit",
            "成绩": "Score",
            "学期": "Term",
        }
        if two == "bilingual":
            self._cell(x, width, y - half, heading)
            self._cell(x, width, y + half, english[name])
        elif two == "two_lines" and len(heading) > 3:
            middle = heading.find(" ") if " " in heading else len(heading) // 2
            self._cell(x, width, y - half, heading[:middle])
            self._cell(x, width, y + half, heading[middle:].strip())
        else:
            self._cell(x, width, y, heading)

    def _cell(self, x: float, width: float, y: float, text: str) -> None:
        if self._style.centred:
            self._text(x + width / 2, y, text, self._size, "m")
        else:
            self._text(x + self._size * 0.45, y, text, self._size)

    def _text(self, x: float, y: float, text: str, size: int, align: str = "l") -> None:
        """One line around the height `y`."""
        fonts = [self._font(char, size) for char in text]
        total = sum(font.getlength(char) for font, char in zip(fonts, text, strict=True))
        x -= total / 2 if align == "m" else 0.0
        for font, char in zip(fonts, text, strict=True):
            self._draw.text((x, y + size * 0.36), char, fill=(25, 25, 25), font=font, anchor="ls")
            x += font.getlength(char)

    def _font(self, char: str, size: int) -> ImageFont.FreeTypeFont:
        face = self._book.covering(self._face, char)
        return load(face.path, face.index, size)

    def _rule(self, left: float, right: float, y: float) -> None:
        if self._style.ruled:
            self._draw.line((left, y, right, y), fill=(40, 40, 40), width=2)


def opened(page: bytes) -> Image.Image:
    return Image.open(io.BytesIO(page)).convert("RGB")

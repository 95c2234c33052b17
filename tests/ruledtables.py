"""Tables drawn for tests, all synthetic: lines of invoices whose descriptions wrap, containers with
empty cells, courses whose term is one cell beside them; framed, half ruled or not, with headings or
without."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import yaml
from PIL import Image, ImageDraw, ImageFont

from ocr_moe.codes.checks import passes
from ocr_moe.generation.damage import damage, encode
from ocr_moe.generation.fonts import FontBook, Typeface, load
from ocr_moe.schema import Schema

SCHEMAS = {
    "invoice": """
name: delivery_note
fields:
  - {name: 单号, kind: code, labels: [单号], grammars: [{name: ten, segments: [{length: 10}]}]}
  - {name: 收货人, kind: person, labels: [收货人]}
  - name: 明细
    kind: table
    columns:
      - {name: 名称, labels: [名称, 品名]}
      - {name: 规格型号, labels: [规格型号], required: false}
      - {name: 单位, labels: [单位], required: false, values: [台, 套, 件, 箱, 个, 米]}
      - {name: 数量, labels: [数量], shape: '^\\d+$'}
      - {name: 单价, labels: [单价], shape: '^\\d+\\.\\d{2}$'}
      - {name: 金额, kind: money, labels: [金额]}
""",
    "containers": """
name: packing_list
fields:
  - {name: 提单号, kind: code, labels: [提单号], grammars: [{name: ten, segments: [{length: 10}]}]}
  - {name: 收货人, kind: person, labels: [收货人]}
  - name: 集装箱
    kind: table
    key: 箱号
    columns:
      - name: 箱号
        kind: code
        labels: [箱号]
        grammars:
          - name: container
            check: iso6346
            segments: [{length: 4, alphabet: letters}, {length: 6}, {length: 1}]
      - {name: 封号, labels: [封号], required: false, shape: '^[A-Z]{2}\\d{6}$'}
      - {name: 箱型, labels: [箱型], required: false, shape: '^\\d{2}[A-Z]{2}$'}
      - {name: 件数, labels: [件数], shape: '^\\d+$'}
      - {name: 毛重, labels: ['毛重(KG)', 毛重], shape: '^\\d+\\.\\d{2}$'}
      - {name: 体积, labels: ['体积(CBM)', 体积], required: false, shape: '^\\d+\\.\\d{3}$'}
""",
    "scores": """
name: scores
fields:
  - {name: 学号, kind: code, labels: [学号], grammars: [{name: ten, segments: [{length: 10}]}]}
  - {name: 姓名, kind: person, labels: [姓名]}
  - name: 课程
    kind: table
    columns:
      - {name: 学期, labels: [学期], shape: '^\\d{4}-\\d{4}-\\d$'}
      - {name: 课程名称, labels: [课程名称]}
      - {name: 学分, labels: [学分], shape: '^\\d(\\.\\d)?$'}
      - {name: 成绩, labels: [成绩], shape: '^\\d{2,3}$'}
      - {name: 备注, labels: [备注], required: false, values: [补考, 重修, 免修]}
""",
}
TABLES = {"invoice": "明细", "containers": "集装箱", "scores": "课程"}
_WIDTHS = {
    "invoice": (5.0, 3.0, 1.4, 1.6, 2.2, 2.4),
    "containers": (3.4, 2.8, 1.6, 1.6, 2.4, 2.3),
    "scores": (3.0, 5.0, 1.4, 1.4, 1.8),
}
_GOODS = (
    "不锈钢离心泵",
    "数控机床主轴轴承座",
    "工业级温湿度传感器",
    "液压缸密封圈",
    "变频调速电机",
    "高压陶瓷绝缘子",
    "铝合金型材",
    "可编程逻辑控制器输入输出扩展模块",
    "全自动双面印刷电路板检测仪",
    "耐高温硅橡胶电缆",
    "精密减速机",
    "气动执行器",
    "防爆配电箱",
    "光纤收发器",
    "自动导引运输车电池组",
)
_COURSES = (
    "高等数学",
    "线性代数",
    "大学物理",
    "有机化学",
    "分析化学",
    "大学英语",
    "思想道德修养与法律基础",
    "中国近现代史纲要",
    "工程制图",
    "理论力学",
    "材料力学",
    "结构力学",
    "数据结构",
    "操作系统",
    "计算机网络",
    "数据库系统概论",
    "编译原理",
    "软件工程",
    "会计学原理",
    "遗传学",
    "测量学",
    "建筑材料",
    "体育",
)
_PEOPLE = ("林书瑶", "陈思远", "欧阳明", "王小丽", "赵子轩", "李雨桐")


@dataclass(frozen=True)
class Look:
    """How a table is set."""

    kind: str = "invoice"
    rows: int = 10
    rules: str = "full"
    """`full`; `horizontal`: no rule stands upright; `columns`: none lies between rows; `none`."""
    line: str = "solid"
    """`solid`, `dotted`, `double`, `broken` (parts are missing) or `faint` (light blue)."""
    headings: str = "all"
    """`all`; `none`: a page on which the table goes on, of which nobody has the first; `some`: all but
    two are unreadable."""
    centred: bool = False
    tight: bool = False
    """Whether columns are as narrow as what stands in them."""
    level: str = "scan"


@dataclass(frozen=True)
class Drawn:
    """A page and what it says."""

    page: bytes
    """A JPEG file."""
    rows: tuple[dict[str, str], ...]
    """Column → value; cells in which nothing stands are left out."""


def schema_of(kind: str) -> Schema:
    return Schema.model_validate(yaml.safe_load(SCHEMAS[kind]))


def _container(rng: Random) -> str:
    start = rng.choice(("CSQU", "MSKU", "TGHU", "OOLU")) + "".join(
        rng.choice("0123456789") for _ in range(6)
    )
    return next(start + digit for digit in "0123456789" if passes("iso6346", start + digit))


def _rows(rng: Random, look: Look) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    if look.kind == "invoice":
        for _ in range(look.rows):
            count, price = rng.randint(1, 240), rng.randint(100, 99999) / 100
            row = {
                "名称": rng.choice(_GOODS) + rng.choice(("", "", "(配套安装附件)")),
                "规格型号": rng.choice(
                    ("", f"{rng.choice('ABDX')}{rng.randint(10, 99)}-{rng.randint(100, 999)}")
                ),
                "单位": rng.choice(("台", "套", "件", "箱", "个", "米", "")),
                "数量": str(count),
                "单价": f"{price:.2f}",
                "金额": f"{count * price:.2f}",
            }
            rows.append(row)
    elif look.kind == "containers":
        for _ in range(look.rows):
            row = {
                "箱号": _container(rng),
                "封号": rng.choice(
                    ("", f"SH{rng.randint(100000, 999999)}", f"CN{rng.randint(100000, 999999)}")
                ),
                "箱型": rng.choice(("20GP", "40GP", "40HC", "")),
                "件数": str(rng.randint(10, 1900)),
                "毛重": f"{rng.randint(100000, 2600000) / 100:.2f}",
                "体积": rng.choice(("", f"{rng.randint(10000, 69000) / 1000:.3f}")),
            }
            rows.append(row)
    else:
        names = rng.sample(_COURSES, look.rows)
        terms = [f"{2018 + n // 2}-{2019 + n // 2}-{n % 2 + 1}" for n in range(8)]
        each = max(2, look.rows // 3)
        for index, name in enumerate(names):
            row = {
                "学期": terms[index // each],
                "课程名称": name,
                "学分": rng.choice(("1", "2", "3", "4", "1.5", "2.5")),
                "成绩": str(rng.randint(60, 99)),
                "备注": rng.choice(("", "", "", "补考", "重修")),
            }
            rows.append(row)
    return rows


def draw(seed: int, look: Look) -> Drawn:
    """Equal arguments give equal bytes, where the same typefaces are installed."""
    rng = Random(f"ruled {seed}")
    book = FontBook.discover()
    sheet = _Sheet(rng, look, book, rng.choice(book.of("song", "hei")))
    rows = _rows(rng, look)
    sheet.draw(rows)
    result = damage(sheet.image, look.level, rng)
    said = tuple({name: text for name, text in row.items() if text} for row in rows)
    return Drawn(encode(result.image, int(result.settings["jpeg"])), said)


class _Sheet:
    def __init__(self, rng: Random, look: Look, book: FontBook, face: Typeface) -> None:
        self.image = Image.new("RGB", (1500, 2120), (252, 252, 250))
        self._draw = ImageDraw.Draw(self.image)
        self._rng, self._look, self._book, self._face = rng, look, book, face
        self._size = 30
        self._names = [
            column.name for column in schema_of(look.kind).field(TABLES[look.kind]).columns
        ]

    def draw(self, rows: list[dict[str, str]]) -> None:
        look, size = self._look, self._size
        y = 110.0
        if look.headings == "none":
            self._text(750, y, "(续上页)", 28, "m")
            y += 60
        else:
            first, second = [field.name for field in schema_of(look.kind).fields][:2]
            title = {"invoice": "货物清单", "containers": "装箱单", "scores": "学生成绩单"}[
                look.kind
            ]
            self._text(750, y, title, 46, "m")
            number = "".join(self._rng.choice("0123456789") for _ in range(10))
            self._text(100, y + 90, f"{first}：{number}", 32)
            self._text(820, y + 90, f"{second}：{self._rng.choice(_PEOPLE)}", 32)
            y += 150
        left, right = (80.0, 1420.0) if not look.tight else (80.0, 80.0 + 13.2 * 2.35 * size)
        widths = _WIDTHS[look.kind]
        unit = (right - left) / sum(widths)
        edges = [left]
        for width in widths:
            edges.append(edges[-1] + width * unit)
        top = y
        levels = [y]
        if look.headings != "none":
            kept = set(self._names if look.headings == "all" else self._names[1:3])
            for at, name in enumerate(self._names):
                self._cell(
                    edges[at], edges[at + 1], y, y + 2 * size, [name if name in kept else "■■"]
                )
            y += 2 * size
            levels.append(y)
        heights = []
        for row in rows:
            deep = max(
                len(self._wrapped(row[name], edges[at + 1] - edges[at]))
                for at, name in enumerate(self._names)
            )
            heights.append((0.75 + 1.15 * deep) * size)
        spans = self._spans(rows)
        starts = [y + sum(heights[:index]) for index in range(len(rows) + 1)]
        for index, row in enumerate(rows):
            for at, name in enumerate(self._names):
                until = spans[index] if at == 0 else index + 1
                if until > index and row[name]:
                    lines = self._wrapped(row[name], edges[at + 1] - edges[at])
                    self._cell(edges[at], edges[at + 1], starts[index], starts[until], lines)
        for index in range(1, len(rows) + 1):
            merged = index < len(rows) and spans[index] == 0
            if look.rules in ("full", "horizontal") or index == len(rows):
                self._rule((edges[1] if merged else left, starts[index]), (right, starts[index]))
        if look.rules != "none":
            for level in levels:
                self._rule((left, level), (right, level), outer=level == top)
        if look.rules in ("full", "columns"):
            for at, x in enumerate(edges):
                self._rule((x, top), (x, starts[-1]), outer=at in (0, len(edges) - 1))
        y = starts[-1]
        self._text(100, y + 70, "经办人：(签章)", 30)
        self._text(950, y + 70, "以上信息核对无误", 30)

    def _spans(self, rows: list[dict[str, str]]) -> list[int]:
        """Per row the row before which its first cell ends; 0 within a cell that began above."""
        if self._look.kind != "scores" or self._look.rules != "full":
            return [index + 1 for index in range(len(rows))]
        name = self._names[0]
        spans = []
        for index, row in enumerate(rows):
            if index and rows[index - 1][name] == row[name]:
                spans.append(0)
                continue
            until = index
            while until < len(rows) and rows[until][name] == row[name]:
                until += 1
            spans.append(until)
        return spans

    def _wrapped(self, text: str, width: float) -> list[str]:
        room = width - 0.7 * self._size
        lines = [""]
        for char in text:
            if lines[-1] and self._length(lines[-1] + char) > room and not text.isascii():
                lines.append("")
            lines[-1] += char
        return lines

    def _length(self, text: str, size: int = 0) -> float:
        return sum(float(self._font(char, size or self._size).getlength(char)) for char in text)

    def _cell(self, left: float, right: float, top: float, bottom: float, lines: list[str]) -> None:
        pitch = 1.15 * self._size
        y = (top + bottom) / 2 - pitch * (len(lines) - 1) / 2
        for line in lines:
            if self._look.centred:
                self._text((left + right) / 2, y, line, self._size, "m")
            else:
                self._text(left + 0.3 * self._size, y, line, self._size)
            y += pitch

    def _rule(
        self, start: tuple[float, float], end: tuple[float, float], outer: bool = False
    ) -> None:
        if self._look.rules == "none":
            return
        line = self._look.line
        colour = (176, 196, 222) if line == "faint" else (40, 40, 40)
        length = max(end[0] - start[0], end[1] - start[1])
        along = ((end[0] - start[0]) / length, (end[1] - start[1]) / length)
        step = 6.0 if line == "dotted" else 60.0
        at = 0.0
        while at < length:
            until = min(at + step, length)
            drawn = until - at
            if line == "dotted":
                drawn /= 2
            elif line == "broken" and self._rng.random() < 0.2:
                drawn *= 0.4
            a = (start[0] + along[0] * at, start[1] + along[1] * at)
            b = (a[0] + along[0] * drawn, a[1] + along[1] * drawn)
            self._draw.line((*a, *b), fill=colour, width=2)
            if line == "double" and outer:
                off = (6 * along[1], 6 * along[0])
                self._draw.line(
                    (a[0] - off[0], a[1] - off[1], b[0] - off[0], b[1] - off[1]),
                    fill=colour,
                    width=2,
                )
            at = until

    def _text(self, x: float, y: float, text: str, size: int, align: str = "l") -> None:
        x -= self._length(text, size) / 2 if align == "m" else 0.0
        for char in text:
            font = self._font(char, size)
            self._draw.text((x, y + size * 0.36), char, fill=(25, 25, 25), font=font, anchor="ls")
            x += font.getlength(char)

    def _font(self, char: str, size: int) -> ImageFont.FreeTypeFont:
        face = self._book.covering(self._face, char)
        return load(face.path, face.index, size)

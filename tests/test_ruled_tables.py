"""Tables by ruled lines and by rows that repeat a pattern: lines seen on pages, cells parted by them,
columns known by what their cells hold, and how sure that makes anyone."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest
from PIL import Image, ImageDraw

from ocr_moe.engines.ppocr import PpOcrEngine, PpOcrParams
from ocr_moe.experts.rules.expert import RulesExpert
from ocr_moe.experts.rules.tables import read_table
from ocr_moe.generation.damage import damage
from ocr_moe.imaging.rulings import find_rulings
from ocr_moe.protocols import State
from ocr_moe.reading.candidates import prepare
from ocr_moe.reading.contents import CHECKED, GUESSED, LEFT_OVER, SURE, matched
from ocr_moe.routing.combiners import Moe
from ocr_moe.schema import Field, Schema
from ocr_moe.testing import StubDocument, StubPage, StubServices, page
from ocr_moe.types import PageText, Reading, Rule, Rulings, Status
from ocr_moe.values.normalize import equal
from tests.ruledtables import TABLES, Look, draw, schema_of
from tests.transcripts import opened

EXPERT = RulesExpert("rules", RulesExpert.Params(), StubServices())
INVOICE = schema_of("invoice")
LINES = INVOICE.field("明细")
COURSES = schema_of("scores").field("课程")


# Lines on pages


XS, YS = (150, 420, 700, 1050), (200, 260, 320, 380, 440)
"""Where the lines of a drawn grid stand, in pixels of a page of 1200 x 1600."""


def grid(line: str = "solid", colour: tuple[int, int, int] = (40, 40, 40)) -> Image.Image:
    image = Image.new("RGB", (1200, 1600), (252, 252, 250))
    pen = ImageDraw.Draw(image)
    step = 6 if line == "dotted" else 2000
    for y in YS:
        for x in range(XS[0], XS[-1], step):
            pen.line((x, y, min(x + step // 2 if line == "dotted" else step, XS[-1]), y), colour, 2)
    for x in XS:
        for y in range(YS[0], YS[-1], step):
            pen.line((x, y, x, min(y + step // 2 if line == "dotted" else step, YS[-1])), colour, 2)
    if line == "double":
        pen.rectangle((XS[0] - 6, YS[0] - 6, XS[-1] + 6, YS[-1] + 6), outline=colour, width=2)
    return image


@pytest.mark.parametrize(
    ("line", "colour"),
    [
        ("solid", (40, 40, 40)),
        ("dotted", (40, 40, 40)),
        ("double", (40, 40, 40)),
        ("solid", (176, 196, 222)),
        ("solid", (190, 190, 190)),
    ],
)
def test_every_line_is_found_where_it_stands(line: str, colour: tuple[int, int, int]) -> None:
    rulings = find_rulings(grid(line, colour), ())
    assert [rule.points[0][1] * 1600 for rule in rulings.level] == pytest.approx(YS, abs=7)
    assert [rule.points[0][0] * 1200 for rule in rulings.upright] == pytest.approx(XS, abs=7)
    [(start, end)] = rulings.level[1].ink
    assert (start * 1200, end * 1200) == pytest.approx((XS[0], XS[-1]), abs=12)


@pytest.mark.parametrize("level", ["scan", "photo", "hard"])
def test_lines_of_damaged_pages_are_found(level: str) -> None:
    for seed in range(4):
        rulings = find_rulings(damage(grid(), level, Random(seed)).image, ())
        assert len(rulings.level) == len(YS)
        assert abs(len(rulings.upright) - len(XS)) <= (level == "hard")


def test_where_a_line_has_no_ink_is_told() -> None:
    image = grid()
    ImageDraw.Draw(image).rectangle((160, 250, 410, 270), fill=(252, 252, 250))
    [(start, end)] = find_rulings(image, ()).level[1].ink
    assert (start * 1200, end * 1200) == pytest.approx((XS[1], XS[-1]), abs=12)


def test_type_is_no_line() -> None:
    drawn = draw(3, Look(kind="invoice", rules="none", rows=14, level="photo"))
    image = opened(drawn.page)
    text = PpOcrEngine("ppocr", PpOcrParams()).read(image)
    assert find_rulings(image, [line.quad for line in text]) == Rulings()


def test_a_tiny_page_has_no_lines() -> None:
    assert find_rulings(Image.new("RGB", (20, 20)), ()) == Rulings()


# Cells between lines


def lines(xs: Sequence[float], ys: Sequence[float], without: Sequence[int] = ()) -> Rulings:
    """A frame of lines; those `without` do not cross the first column."""
    level = [
        Rule(points=((xs[0], y), (xs[-1], y)), ink=((xs[1 if at in without else 0], xs[-1]),))
        for at, y in enumerate(ys)
    ]
    upright = [Rule(points=((x, ys[0]), (x, ys[-1])), ink=((ys[0], ys[-1]),)) for x in xs]
    return Rulings(level=tuple(level), upright=tuple(upright))


def read(table: Field, schema: Schema, text: PageText, rulings: Rulings | None = None) -> Reading:
    given = None if rulings is None else {1: rulings}
    return read_table(table, [prepare(schema, 1, text)], given)


def rows_of(reading: Reading, *columns: str) -> list[tuple[str | None, ...]]:
    return [tuple(row[name].value for name in columns) for row in reading.rows]


def test_rules_part_rows_of_several_lines_and_rows_without_their_first_cell() -> None:
    text = page(
        """
名称|@0.4 数量|@0.55 单价|@0.7 金额
耐高温硅橡胶电缆(配套|@0.4 12|@0.55 3.50|@0.7 42.00
安装附件)
精密减速机|@0.4 3|@0.55 10.00|@0.7 30.00
|@0.4 7|@0.55 2.00|@0.7 14.00
气动执行器|@0.4 1|@0.55 5.00|@0.7 5.00
""",
        height=1500,
        pitch=0.05,
    )
    tops = [0.085, 0.135, 0.235, 0.285, 0.335, 0.385]
    rulings = lines([0.08, 0.38, 0.53, 0.68, 0.9], tops)
    assert rows_of(read(LINES, INVOICE, text, rulings), "名称", "数量", "金额") == [
        ("耐高温硅橡胶电缆(配套安装附件)", "12", "42.00"),
        ("精密减速机", "3", "30.00"),
        (None, "7", "14.00"),
        ("气动执行器", "1", "5.00"),
    ]


SCORES = """
学期|@0.3 课程名称|@0.6 学分|@0.75 成绩
|@0.3 高等数学|@0.6 5|@0.75 88
2018-2019-1|@0.3 结构力学|@0.6 4|@0.75 91
|@0.3 工程测量|@0.6 3|@0.75 79
2018-2019-2|@0.3 大学英语|@0.6 2|@0.75 85
"""
TOPS = (0.085, 0.14, 0.195, 0.25, 0.305, 0.36)
EDGES = (0.08, 0.28, 0.58, 0.73, 0.9)


def test_a_cell_over_several_rows_is_each_ones() -> None:
    text = page(SCORES, height=1500, pitch=0.055)
    reading = read(COURSES, schema_of("scores"), text, lines(EDGES, TOPS, without=(2, 3)))
    assert [row["学期"].value for row in reading.rows] == ["2018-2019-1"] * 3 + ["2018-2019-2"]
    assert reading.rows[0]["学期"].features["merged"] == 1.0
    ruled = read(COURSES, schema_of("scores"), text, lines(EDGES, TOPS))
    assert [row["学期"].value for row in ruled.rows] == [None, "2018-2019-1", None, "2018-2019-2"]


def test_an_amount_over_several_rows_is_counted_once() -> None:
    columns = [each.model_dump(warnings=False) for each in COURSES.columns]
    columns[0] = {"name": "学期", "labels": ["学期"], "required": False}
    data = COURSES.model_dump(warnings=False) | {"columns": columns, "key": "学期"}
    schema = Schema.model_validate({"name": "s", "fields": [data]})
    text = page(SCORES, height=1500, pitch=0.055)
    reading = read(schema.field("课程"), schema, text, lines(EDGES, TOPS, without=(2, 3)))
    assert [row["学期"].value for row in reading.rows] == ["2018-2019-1", None, None, "2018-2019-2"]


def test_a_table_ends_with_its_frame() -> None:
    text = page(SCORES + "经办人|@0.3 张三|@0.6 1|@0.75 99\n", height=1500, pitch=0.055)
    schema = schema_of("scores")
    framed = read(COURSES, schema, text, lines(EDGES, TOPS))
    assert [row["课程名称"].value for row in framed.rows][-1] == "大学英语"
    assert framed.notes == ("text between rows that belongs to no cell: 经办人 张三 1 99",)
    assert len(read(COURSES, schema, text).rows) == 5


def test_a_box_over_two_cells_is_cut_at_the_rule() -> None:
    text = page(SCORES.replace("高等数学|@0.6 5", f"高等数学{' ' * 16}5"), height=1500, pitch=0.055)
    reading = read(COURSES, schema_of("scores"), text, lines(EDGES, TOPS))
    assert rows_of(reading, "课程名称", "学分")[0] == ("高等数学", "5")
    assert reading.rows[0]["学分"].features["cut"] == 1.0


def test_where_rules_and_alignment_contradict_confidence_drops() -> None:
    text = page(SCORES, height=1500, pitch=0.055)
    schema = schema_of("scores")
    one = read(COURSES, schema, text, lines(EDGES, TOPS)).rows[0]["课程名称"]
    # A rule between two rows is missing: to alignment they are two, and no cell of two lines.
    off = lines((0.08, 0.28, 0.58, 0.71, 0.9), (0.085, 0.14, 0.25, 0.305, 0.36))
    boxes = page(SCORES.replace("5|@0.75 88", "|@0.75 88"), height=1500, pitch=0.055)
    other = read(COURSES, schema, boxes, off)
    assert one.features["contradicted"] == 0.0
    doubted = [c for row in other.rows for c in row.values() if c.features.get("contradicted")]
    assert all((cell.score or 0) < (one.score or 0) for cell in doubted)


# Cells themselves


CONTAINERS = schema_of("containers")
BOXES = CONTAINERS.field("集装箱")


def test_look_alikes_in_a_code_are_put_right_if_its_check_says_so() -> None:
    rows = (
        "箱号|@0.35 件数|@0.5 毛重\n00LU8508422|@0.35 4|@0.5 10.00\n00LU8508423|@0.35 5|@0.5 20.00"
    )
    reading = read(BOXES, CONTAINERS, page(rows))
    assert rows_of(reading, "箱号") == [("OOLU8508422",), ("00LU8508423",)]
    assert reading.rows[0]["箱号"].raw == "00LU8508422"


def test_a_lost_bracket_and_lost_decimals_are_doubted() -> None:
    rows = ["名称|@0.4 数量|@0.55 单价|@0.7 金额"]
    rows += [f"减速机{n}|@0.4 {n}|@0.55 3.50|@0.7 42.00" for n in range(1, 8)]
    rows += ["电缆(配套|@0.4 12|@0.55 3.50|@0.7 421.0"]
    reading = read(LINES, INVOICE, page("\n".join(rows), height=1500))
    *_, before, last = reading.rows
    assert (before["金额"].score or 0) > 0.95 > (last["金额"].score or 0)
    assert (last["名称"].score or 0) < 0.9 < (before["名称"].score or 0)


@pytest.mark.parametrize(("inked", "status"), [(False, Status.ABSENT), (True, Status.ABSTAINED)])
def test_an_empty_cell_is_looked_at(inked: bool, status: Status) -> None:
    rows = "箱号|@0.35 封号|@0.55 件数|@0.7 毛重\n"
    rows += "CSQU3054383|@0.35 SH120111|@0.55 40|@0.7 100.00\nMSKU9070323|@0.55 60|@0.7 900.00"
    text = page(rows)
    image = Image.new("RGB", (text.width, text.height), "white")
    if inked:
        x, y = round(0.37 * text.width), round((0.1 + 0.11 + 0.014) * text.height)
        ImageDraw.Draw(image).text((x, y - 8), "SH 77 12", fill="black")
    document = StubDocument(CONTAINERS, [StubPage(text, image)])
    [reading] = EXPERT.read(document, [BOXES]).readings
    schema = CONTAINERS.model_copy(update={"fields": (BOXES,)})
    state = State(schema, {"集装箱": {"rules": reading}}, verdicts={})
    decision = Moe(Moe.Params()).combine(state)["集装箱"]
    assert decision.rows[1]["封号"].status is status


# Without headings


def test_columns_are_known_by_what_they_hold() -> None:
    places = [
        ["20GP", "40HC", "20GP"],
        ["CSQU3054383", "MSKU9070323", "CSQU3054383"],
        ["7", "8", "9"],
    ]
    found = {match.column: (match.place, match.quality) for match in matched(BOXES.columns, places)}
    assert found == {"箱型": (0, SURE), "箱号": (1, CHECKED), "件数": (2, SURE)}


def test_columns_that_others_fit_as_well_are_guessed() -> None:
    money = [["3.50", "2.00", "8.00"], ["42.00", "30.00", "16.00"]]
    found = {match.column: match.quality for match in matched(LINES.columns, money)}
    assert set(found.values()) == {GUESSED}
    assert matched(LINES.columns[:1], [["电缆", "减速机", "传感器"]])[0].quality == LEFT_OVER


FULL = """
2018-2019-1|@0.3 高等数学|@0.6 5|@0.75 88
2018-2019-1|@0.3 结构力学|@0.6 4|@0.75 91
2018-2019-1|@0.3 工程测量|@0.6 3|@0.75 79
2018-2019-2|@0.3 大学英语|@0.6 2|@0.75 85
"""


def test_a_table_without_headings_is_found_and_is_for_a_person() -> None:
    schema = schema_of("scores")
    reading = read(COURSES, schema, page(FULL, height=1500))
    assert rows_of(reading, "学期", "课程名称", "学分", "成绩")[1] == (
        "2018-2019-1",
        "结构力学",
        "4",
        "91",
    )
    assert reading.notes == ("without headings: the columns are told by what stands in them",)
    assert reading.ceiling == 0.5
    assert max(cell.score or 0 for cell in reading.rows[0].values()) < 0.9
    two = "\n".join(FULL.strip().split("\n")[:2])
    assert read(COURSES, schema, page(two, height=1500)).value is None


def test_what_stands_beside_another_fields_label_is_no_row() -> None:
    rows = [
        "学号：2018001234|@0.4 高等数学|@0.6 5|@0.75 88",
        "学号：2018001235|@0.4 结构力学|@0.6 4|@0.75 91",
        "学号：2018001236|@0.4 工程测量|@0.6 3|@0.75 79",
    ]
    reading = read(COURSES, schema_of("scores"), page("\n".join(rows), height=1500))
    assert reading.value is None


def test_a_column_with_an_unread_heading_is_known_by_its_cells() -> None:
    rows = SCORES.replace("|@0.3", "2018-2019-1|@0.3").replace("2018-2019-12018", "2018")
    text = page(FULL.replace("\n", "\n学期|@0.3 课程名称|@0.6 口口|@0.75 成绩\n", 1), height=1500)
    reading = read(COURSES, schema_of("scores"), text)
    assert [row["学分"].value for row in reading.rows] == ["5", "4", "3", "2"], rows
    assert reading.rows[0]["学分"].features["heading"] == SURE


# On pages that are drawn and read by the engine


@pytest.fixture(scope="module")
def engine() -> PpOcrEngine:
    return PpOcrEngine("ppocr", PpOcrParams())


@pytest.mark.parametrize(
    ("seed", "look"),
    [
        (2, Look("invoice", 14, "full", "dotted", centred=True, level="scan")),
        (0, Look("invoice", 16, "horizontal", "double", centred=True, level="hard")),
        (0, Look("invoice", 11, "full", "dotted", "none", level="photo")),
        (3, Look("containers", 12, "full", "solid", centred=True, level="photo")),
        (1, Look("containers", 15, "full", "faint", "none", centred=True, level="photo")),
        (2, Look("containers", 14, "columns", "dotted", centred=True, level="scan")),
        (3, Look("containers", 7, "full", "faint", "some", level="scan")),
        (0, Look("scores", 11, "full", "dotted", level="photo")),
        (2, Look("scores", 8, "full", "double", "some", tight=True, level="photo")),
        (0, Look("scores", 16, "full", "double", "none", centred=True, level="hard")),
    ],
    ids=lambda value: f"{value.kind} {value.rules} {value.line}" if isinstance(value, Look) else "",
)
def test_every_cell_of_a_drawn_table(engine: PpOcrEngine, seed: int, look: Look) -> None:
    drawn = draw(seed, look)
    image = opened(drawn.page)
    text = PageText(
        engine="ppocr", width=image.width, height=image.height, rotation=0, lines=engine.read(image)
    )
    schema = schema_of(look.kind)
    table = schema.field(TABLES[look.kind])
    [reading] = EXPERT.read(StubDocument(schema, [StubPage(text, image)]), [table]).readings
    assert len(reading.rows) == len(drawn.rows)
    wrong = [
        (name, row.get(name), cells[name].value)
        for row, cells in zip(drawn.rows, reading.rows, strict=True)
        for name in cells
        if not equal(table.column(name), row.get(name) or "", cells[name].value or "")
    ]
    assert wrong == []


def test_lines_are_sought_only_for_tables() -> None:
    text = page("单号：2018001234")
    document = StubDocument(INVOICE, [StubPage(text)])
    [reading] = EXPERT.read(document, [INVOICE.field("单号")]).readings
    assert reading.value == "2018001234"  # the page has no pixels, and none were asked for

"""Several documents on one page: where each stands, and when a page is left whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from ocr_moe.experts.rules.expert import RulesExpert, RulesParams
from ocr_moe.geometry import onto_page
from ocr_moe.intake.strips import in_strips
from ocr_moe.protocols import State
from ocr_moe.reading.splitting import find_regions, within
from ocr_moe.routing.combiners import Moe, MoeParams
from ocr_moe.schema import Schema, load_schema
from ocr_moe.testing import StubDocument, StubPage, page
from ocr_moe.testing.services import StubServices
from ocr_moe.types import Box, Decision, Line, PageText, Quad, Status

SCHEMAS = Path(__file__).parent.parent / "config" / "schemas"
CERTIFICATE = load_schema(SCHEMAS / "graduation_certificate.yaml")
LICENCE = load_schema(SCHEMAS / "business_license.yaml")
BOTH = [LICENCE, CERTIFICATE]

DIPLOMA = """
>>>>普通高等学校
>>>>毕业证书
学生　{name}　性别{sex}，一九九七年三月十五日生，于二〇一五年
九月至二〇一九年六月在本校　土木工程　专业四年制本科学习，
修完教学计划规定的全部课程，成绩合格，准予毕业。
校　名：{school}|@0.6 校　长：林建国
证书编号：{code}|@0.6 二〇一九年六月二十日
"""
FIRST = DIPLOMA.format(name="陈思远", sex="男", school="江城理工大学", code="100051201905001234")
SECOND = DIPLOMA.format(name="刘若琳", sex="女", school="江城师范大学", code="100061201905005678")
DEGREE = """
>>>>学士学位证书
陈思远，男，1997年3月15日生。在江城理工大学
土木工程专业完成了本科学习计划，业已毕业，经审核符合
《中华人民共和国学位条例》的规定，授予工学学士学位。
校长、学位评定委员会主席：林建国
证书编号：1000542019001234|@0.6 2019年6月20日
"""
COMPANY = """
>>>>营业执照
统一社会信用代码|91371482MA3CFKE25H
名称|禹城勤农农业机械有限公司
类型|有限责任公司
法定代表人|李建国
住所|山东省德州市禹城市南环路12号
成立日期|2016年8月9日
经营范围|农业机械设备销售
登记机关
"""
ENGLISH = """
>>>>GRADUATION CERTIFICATE
This is to certify that Chen Siyuan, male, born on March 15, 1997,
has studied in the specialty of Civil Engineering
and has completed the four-year undergraduate program.
President: Lin Jianguo|@0.6 June 20, 2019
Certificate No.: 100051201905001234
"""

Placed = tuple[PageText, Box]


def together(placed: Sequence[Placed], width: int, height: int) -> PageText:
    """Pages as parts of one: each fills its box, in fractions of the whole."""
    lines = []
    for text, box in placed:
        for line in text.lines:
            a, b, c, d = (onto_page((x, y, x, y), box)[:2] for x, y in line.quad)
            quad: Quad = (a, b, c, d)
            lines.append(line.model_copy(update={"quad": quad}))
    lines.sort(key=lambda line: (round(line.box[1], 2), line.box[0]))
    return PageText(engine="test", width=width, height=height, rotation=0, lines=tuple(lines))


UPPER, LOWER = (0.0, 0.0, 1.0, 0.5), (0.0, 0.5, 1.0, 1.0)
LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)


def stacked(*pages: PageText) -> PageText:
    return together(list(zip(pages, (UPPER, LOWER), strict=True)), 1500, 2120)


def beside(*pages: PageText) -> PageText:
    return together(list(zip(pages, (LEFT, RIGHT), strict=True)), 3000, 1060)


def in_quarters(*pages: PageText) -> PageText:
    quarters = [(0, 0, 0.5, 0.5), (0.5, 0, 1, 0.5), (0, 0.5, 0.5, 1), (0.5, 0.5, 1, 1)]
    return together(list(zip(pages, quarters, strict=True)), 3000, 2120)


@pytest.mark.parametrize(
    ("arranged", "pages"),
    [
        (stacked, [page(FIRST), page(SECOND)]),
        (beside, [page(FIRST), page(SECOND)]),
        (beside, [page(FIRST), page(DEGREE)]),
        (stacked, [page(FIRST), page(COMPANY)]),
        (stacked, [page(FIRST), page(FIRST)]),
        (beside, [page(FIRST, turned=2.5), page(SECOND, turned=-2)]),
        (stacked, [page(FIRST, turned=2), page(SECOND, turned=-2.5)]),
        (in_quarters, [page(FIRST), page(SECOND), page(SECOND), page(FIRST)]),
    ],
    ids=[
        "stacked",
        "beside",
        "degree",
        "licence",
        "copies",
        "askew beside",
        "askew stacked",
        "two by two",
    ],
)
def test_each_document_has_its_region(
    arranged: Callable[..., PageText], pages: Sequence[PageText]
) -> None:
    text = arranged(*pages)
    regions = find_regions(text, BOTH)
    read = [sorted(line.text for line in within(text, region).lines) for region in regions]
    assert read == [sorted(line.text for line in each.lines) for each in pages]


@pytest.mark.parametrize(
    "text",
    [
        page(FIRST),
        page(COMPANY),
        page(FIRST, turned=4),
        beside(page(FIRST), page(ENGLISH)),
        beside(page(">>>>毕业证书\n>>>>证书编号：100051201905001234"), page(FIRST)),
        stacked(page(FIRST), page("复印件与原件一致\n经办人：王芳\n2024年3月1日")),
        page("　"),
        page(""),
    ],
    ids=["one", "licence", "askew", "english", "two leaves", "remark", "space", "nothing"],
)
def test_one_document_has_the_whole_page(text: PageText) -> None:
    assert find_regions(text, BOTH) == ()


def test_only_documents_of_one_page_share_one() -> None:
    text = stacked(page(FIRST), page(SECOND))
    assert find_regions(text, [CERTIFICATE])
    assert find_regions(text, [CERTIFICATE.model_copy(update={"pages": None})]) == ()
    number = Schema(name="number", pages=1, fields=(CERTIFICATE.field("证书编号"),))
    assert find_regions(text, [number]) == ()


def test_a_small_document_on_a_large_page_is_looked_at_by_itself() -> None:
    bed = together([(page(FIRST), (0.1, 0.55, 0.42, 0.75))], 4200, 5600)
    [region] = find_regions(bed, BOTH)
    assert region[0] < 0.14
    assert region[1] < 0.58
    assert 0.35 < region[2] < 0.6
    assert 0.66 < region[3] < 0.8


def test_what_a_chat_says_around_it_is_left_out() -> None:
    chat = page("您好，请问毕业证书发了吗？\n2024年3月5日\n好的")
    screen = together(
        [
            (chat, (0.0, 0.0, 1.0, 0.2)),
            (page(FIRST), (0.1, 0.4, 0.9, 0.62)),
            (chat, (0, 0.8, 1, 1)),
        ],
        1080,
        2400,
    )
    [region] = find_regions(screen, BOTH)
    assert region[1] > 0.2
    assert region[3] < 0.8
    inside = [line.text for line in within(screen, region).lines]
    assert "证书编号：100051201905001234" in inside
    assert "2024年3月5日" not in inside


def test_a_region_of_a_page_reads_as_a_page() -> None:
    whole = stacked(page(FIRST), page(SECOND))
    lower = within(whole, LOWER)
    assert (lower.width, lower.height, lower.region) == (1500, 1060, LOWER)
    assert [line.text for line in lower.lines] == [line.text for line in page(SECOND).lines]
    back = onto_page(lower.lines[0].box, LOWER)
    assert back == pytest.approx(whole.lines[len(whole.lines) // 2].box, abs=1e-4)


def decided(text: PageText) -> dict[str, Decision]:
    """What `rules` alone come to; everything would be accepted."""
    expert = RulesExpert("rules", RulesParams(), StubServices())
    answer = expert.read(StubDocument(CERTIFICATE, [StubPage(text)]), CERTIFICATE.fields)
    readings = {reading.field: {"rules": reading} for reading in answer.readings}
    params = MoeParams.model_validate({"accept": {"default": 0.0}, "calibration": None})
    return dict(Moe(params).combine(State(CERTIFICATE, readings)))


def test_what_could_not_be_parted_is_not_accepted() -> None:
    alone = decided(page(FIRST))
    assert alone["姓名"].status is Status.ACCEPTED
    mixed = decided(stacked(page(FIRST), page(SECOND)))
    assert {decision.status for decision in mixed.values()} == {Status.ABSTAINED}
    for decision in mixed.values():
        assert "this page seems to hold several documents" in decision.notes
        assert decision.confidence is None or decision.confidence <= 0.5


def test_a_long_page_is_read_in_strips_and_every_line_once() -> None:
    image = Image.new("RGB", (100, 1000), "white")
    for y in range(20, 1000, 30):  # 33 lines of 12 pixels
        image.paste("black", (10, y, 90, y + 12))
    seen: list[tuple[int, int]] = []

    def read(strip: Image.Image) -> tuple[Line, ...]:
        seen.append(strip.size)
        grey = strip.convert("L")
        dark = [grey.getpixel((50, y)) == 0 for y in range(strip.height)]
        starts = [y for y in range(strip.height) if dark[y] and (y == 0 or not dark[y - 1])]
        lines = []
        for y in starts:
            end = next((e for e in range(y, strip.height) if not dark[e]), strip.height)
            top, bottom = y / strip.height, end / strip.height
            quad = ((0.1, top), (0.9, top), (0.9, bottom), (0.1, bottom))
            lines.append(Line(text="x", confidence=1.0, quad=quad))
        return tuple(lines)

    lines = in_strips(image, read)
    assert len(seen) > 3
    assert max(tall for _, tall in seen) == 200
    assert [round(line.box[1] * 1000) for line in lines] == list(range(20, 1000, 30))
    assert {round((line.box[3] - line.box[1]) * 1000) for line in lines} == {12}
    assert len(in_strips(image.crop((0, 0, 100, 250)), read)) == len(range(20, 250, 30))
    across = in_strips(
        image.transpose(Image.Transpose.TRANSPOSE), lambda strip: turned(read, strip)
    )
    assert [round(line.box[0] * 1000) for line in across] == list(range(20, 1000, 30))


def turned(read: object, strip: Image.Image) -> tuple[Line, ...]:
    """The lines of a strip that lies on its side."""
    assert callable(read)
    found = read(strip.transpose(Image.Transpose.TRANSPOSE))
    return tuple(
        line.model_copy(update={"quad": tuple((y, x) for x, y in line.quad)}) for line in found
    )

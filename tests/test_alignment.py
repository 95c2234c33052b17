"""Values found again among OCR lines, and regions where fields are expected."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr_moe.codes.grammar import CodeGrammar, Segment
from ocr_moe.experts.llm.alignment import find_evidence, occurs_verbatim
from ocr_moe.experts.llm.regions import field_region, row_texts
from ocr_moe.folds import fold_print
from ocr_moe.schema import Fallback, Field, Kind, Schema
from ocr_moe.types import Box, Line, PageText

NAME = Field(name="姓名", kind=Kind.PERSON, labels=("姓名",))
SCHOOL = Field(name="毕业院校", kind=Kind.ORGANISATION, labels=("校名",))
BIRTH = Field(name="出生日期", kind=Kind.DATE, labels=("出生日期",))
GRADUATION = Field(
    name="毕业日期", kind=Kind.DATE, labels=("发证日期",), fallbacks=(Fallback.LAST_DATE,)
)
LEVEL = Field(
    name="学历层次", kind=Kind.ENUM, values={"本科": ("大学本科", "学士"), "专科": ("大专",)}
)
CODE = Field(
    name="证书编号",
    kind=Kind.CODE,
    labels=("证书编号", "编号"),
    grammars=(CodeGrammar(name="g", segments=(Segment(length=18),)),),
)
SCOPE = Field(name="经营范围", labels=("经营范围",))
SCHEMA = Schema(name="t", fields=(NAME, SCHOOL, BIRTH, GRADUATION, LEVEL, CODE, SCOPE))


def line(text: str, box: Box, confidence: float = 0.9) -> Line:
    x0, y0, x1, y1 = box
    return Line(text=text, confidence=confidence, quad=((x0, y0), (x1, y0), (x1, y1), (x0, y1)))


def stack(*texts: str) -> tuple[Line, ...]:
    """Lines under one another, each of the width of its text."""
    return tuple(
        line(text, (0.1, 0.1 + 0.1 * i, 0.1 + 0.03 * len(text), 0.14 + 0.1 * i))
        for i, text in enumerate(texts)
    )


def page(lines: tuple[Line, ...]) -> PageText:
    return PageText(engine="test", width=1000, height=1000, rotation=0, lines=lines)


def test_a_value_inside_a_line_gets_its_share_of_the_box() -> None:
    lines = (line("姓名张三丰", (0.1, 0.2, 0.6, 0.25)),)
    evidence, score = find_evidence(NAME, "张三丰", "张三丰", lines)
    assert score == 1.0
    assert evidence is not None
    assert evidence.text == "张三丰"
    assert evidence.box == pytest.approx((0.3, 0.2, 0.6, 0.25))


def test_narrow_characters_take_half_the_width() -> None:
    lines = (line("编号12345678", (0.0, 0.0, 0.6, 0.1)),)
    evidence, _ = find_evidence(CODE, "12345678", None, lines)
    assert evidence is not None
    assert 0.15 < evidence.box[0] < 0.25


@pytest.mark.parametrize(
    "printed",
    [
        "二〇一九年六月二十日",
        "二○一九年六月二十日",
        "2019年6月20日",
        "2019 年 06 月 20 日",
        "2019.06.20",
        "2019-06-20",
    ],
)
def test_a_date_in_any_printed_form(printed: str) -> None:
    lines = stack("生于1995年3月2日", f"颁发于{printed}止")
    evidence, score = find_evidence(GRADUATION, "2019-06-20", "2019年6月20日", lines)
    assert score == 1.0
    assert evidence is not None
    assert evidence.text == printed


def test_another_date_is_no_evidence() -> None:
    assert find_evidence(GRADUATION, "2019-06-20", None, stack("2001年1月2日")) == (None, 0.0)


def test_a_wrapped_value_covers_both_lines() -> None:
    lines = stack("经营范围涂装设备、汽保设备、烤漆房、制", "鞋机械、复合机械", "登记机关")
    evidence, score = find_evidence(
        SCOPE, None, "涂装设备、汽保设备、烤漆房、制鞋机械、复合机械", lines
    )
    assert score > 0.95
    assert evidence is not None
    assert evidence.text == "涂装设备、汽保设备、烤漆房、制鞋机械、复合机械"
    assert evidence.box[1] == pytest.approx(0.1)
    assert evidence.box[3] == pytest.approx(0.24)


def test_digits_broken_by_spaces() -> None:
    lines = stack("证书编号 106131 2025 0500 4931")
    evidence, score = find_evidence(CODE, "106131202505004931", None, lines)
    assert score == 1.0
    assert evidence is not None
    assert evidence.text == "106131 2025 0500 4931"


def test_a_misread_value_is_found_with_a_lower_score() -> None:
    lines = stack("证书编号 106131202505004931", "学校代码 10613")
    evidence, score = find_evidence(CODE, "106131202505004981", None, lines)
    assert evidence is not None
    assert 0.9 < score < 1.0
    assert evidence.text.endswith("004931")


def test_an_enum_is_found_by_what_is_printed() -> None:
    evidence, score = find_evidence(LEVEL, "本科", "本科", stack("授予工学学士学位"))
    assert score == 1.0
    assert evidence is not None
    assert evidence.text == "学士"


def test_beside_the_label_wins() -> None:
    lines = stack("校长 张三", "姓名 张三")
    evidence, _ = find_evidence(NAME, "张三", "张三", lines)
    assert evidence is not None
    assert evidence.box[1] == pytest.approx(0.2)


def test_an_invented_value_has_no_evidence() -> None:
    assert find_evidence(NAME, "欧阳峰", "欧阳峰", stack("姓名张三", "性别男")) == (None, 0.0)
    assert find_evidence(NAME, None, None, stack("姓名张三")) == (None, 0.0)
    assert find_evidence(NAME, "张三", None, ()) == (None, 0.0)


def test_verbatim_looks_across_lines() -> None:
    lines = stack("在云南农", "业大学学习")
    assert occurs_verbatim("云南农业大学", lines)
    assert not occurs_verbatim("云南大学", lines)
    assert not occurs_verbatim("", lines)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=6), st.data())
def test_boxes_stay_on_the_page_whatever_the_text(texts: list[str], data: st.DataObject) -> None:
    lines = tuple(line(text, (0.0, i / 10, 1.0, (i + 1) / 10)) for i, text in enumerate(texts))
    value = data.draw(st.sampled_from(texts) | st.text(max_size=8))
    for field in (NAME, GRADUATION, CODE):
        evidence, score = find_evidence(field, value, value, lines)
        assert 0.0 <= score <= 1.0
        assert (evidence is None) == (score == 0.0)
        if evidence is not None:
            x0, y0, x1, y1 = evidence.box
            assert 0 <= x0 <= x1 <= 1
            assert 0 <= y0 <= y1 <= 1


def test_fold_ignores_width_case_spaces_and_punctuation() -> None:
    assert fold_print("Ｎｏ．１２ ３") == fold_print("no123")


def test_rows_are_put_together_and_columns_kept_in_order() -> None:
    lines = (
        line("张三", (0.3, 0.10, 0.4, 0.13)),
        line("姓名", (0.1, 0.101, 0.2, 0.131)),
        line("性别", (0.1, 0.2, 0.2, 0.23)),
        line("女", (0.3, 0.2, 0.33, 0.23)),
    )
    assert row_texts(page(lines)) == ["姓名 张三", "性别 女"]
    assert row_texts(page(())) == []


def contains(outer: Box | None, inner: Box) -> bool:
    return outer is not None and (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and outer[2] >= inner[2]
        and outer[3] >= inner[3]
    )


def test_the_region_of_a_label_takes_in_the_value_beside_and_below() -> None:
    label = line("经营范围", (0.1, 0.2, 0.2, 0.23))
    value = line("卫浴、锁具、五金", (0.3, 0.2, 0.6, 0.23))
    below = line("装饰材料销售", (0.3, 0.24, 0.5, 0.27))
    far = line("登记机关", (0.3, 0.8, 0.5, 0.83))
    region = field_region(SCHEMA, SCOPE, page((label, value, below, far)))
    for part in (label, value, below):
        assert contains(region, part.box)
    assert region is not None
    assert region[3] < 0.4


def test_among_labels_of_one_length_the_one_declared_first_is_meant() -> None:
    words = ("经营范围", "业务范围", "许可范围", "经营项目", "主要业务", "营业内容")
    lines = tuple(
        line(word, (0.1, 0.1 * n, 0.2, 0.1 * n + 0.03)) for n, word in enumerate(words, 1)
    )
    for first, printed in enumerate(lines):
        field = Field(name="x", labels=(*words[first:], *words[:first]))
        assert contains(field_region(SCHEMA, field, page(lines)), printed.box)


def test_the_region_of_a_code_is_found_by_its_form() -> None:
    code = line("编号106131202505004931", (0.5, 0.8, 0.9, 0.83))
    region = field_region(SCHEMA, CODE, page((line("毕业证书", (0.2, 0.1, 0.8, 0.2)), code)))
    assert region is not None
    assert region[1] < 0.815 < region[3]
    assert region[2] > 0.88


def test_the_region_of_a_pattern_is_where_it_matches() -> None:
    field = NAME.model_copy(update={"labels": (), "patterns": (r"学生(?P<value>..),",)})
    lines = (
        line("毕业证书", (0.3, 0.1, 0.7, 0.2)),
        line("学生张三,性别男", (0.1, 0.4, 0.7, 0.44)),
    )
    assert contains(field_region(SCHEMA, field, page(lines)), lines[1].box)


def test_the_last_date_is_sought_at_the_foot() -> None:
    birth = line("1990年1月2日生", (0.1, 0.3, 0.5, 0.33))
    issue = line("2012年6月30日", (0.6, 0.8, 0.9, 0.83))
    region = field_region(SCHEMA, GRADUATION, page((birth, issue)))
    assert contains(region, issue.box)
    assert not contains(region, birth.box)
    unread = field_region(SCHEMA, GRADUATION, page((birth,)))
    assert unread is not None
    assert unread[1] > 0.5


def test_no_text_no_region() -> None:
    assert field_region(SCHEMA, NAME, page(())) is None
    assert field_region(SCHEMA, NAME, page((line("毕业证书", (0.3, 0.1, 0.7, 0.2)),))) is None

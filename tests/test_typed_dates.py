"""The languages of dates and of amounts, and dates decoded from pixels."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import ImageDraw

from ocr_moe.experts.typed.amounts import amounts
from ocr_moe.experts.typed.dates import dates
from ocr_moe.experts.typed.language import Context, Language
from ocr_moe.schema import load_schema
from ocr_moe.testing import StubDocument, StubPage, page
from ocr_moe.testing.pages import picture
from ocr_moe.types import PageText, Reading
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import load_config

SCHEMAS = Path(__file__).parent.parent / "config" / "schemas"
CERTIFICATE = load_schema(SCHEMAS / "graduation_certificate.yaml")
LICENCE = load_schema(SCHEMAS / "business_license.yaml")
PROSE = ("学生张三，男，一九九六年十月二十三日生", "于二〇一三年九月至二〇一七年六月在本校学习")


def graduation(*lines: str) -> Language:
    field = CERTIFICATE.field("毕业日期")
    return dates(field, Context(CERTIFICATE, lines or PROSE, field))


def birth(*lines: str) -> Language:
    field = CERTIFICATE.field("出生日期")
    return dates(field, Context(CERTIFICATE, lines or ("二〇一七年六月九日",), field))


def prior(language: Language, printed: str) -> float:
    meant = language.meaning(printed)
    assert meant is not None
    return meant[1]


def test_what_a_printed_date_means() -> None:
    assert graduation().meaning("二〇一七年六月十八日") == ("2017-06-18", 0.0)
    assert graduation().meaning("工学学士学位") is None
    assert graduation().meaning("二〇一三年九月至二〇一七年六月") is None


def test_a_day_without_a_year_is_of_the_month_in_which_the_studies_ended() -> None:
    assert graduation().meaning("六月十八日") is not None
    assert graduation().meaning("六月十八日")[0] == "2017-06-18"  # type: ignore[index]
    assert graduation().meaning("八月十八日") is None


@pytest.mark.parametrize(
    ("likelier", "less"),
    [
        ("二〇一七年六月十八日", "二〇一七年七月十八日"),  # than the month after the studies
        ("二〇一七年七月十八日", "二〇一一年六月十八日"),  # than a year before their end
        ("二〇一七年六月十八日", "二〇一七年六月三十一日"),  # than a day that no calendar has
        ("二〇一七年六月十八日", "二〇一七年六月"),  # than half of it
        ("二〇一七年六月十八日", "二〇一7年六月十八日"),  # than one in two kinds of numerals
    ],
)
def test_some_dates_of_certificates_are_likelier_than_others(likelier: str, less: str) -> None:
    assert prior(graduation(), likelier) > prior(graduation(), less)


@pytest.mark.parametrize("year", ["1903", "2012"])
def test_graduates_are_of_an_age(year: str) -> None:
    assert prior(birth(), "1996年10月23日") > prior(birth(), f"{year}年10月23日") + 3


def test_the_only_month_on_a_form_may_be_the_first_of_the_studies() -> None:
    form = graduation("入学日期：二〇〇一年九月")
    assert prior(form, "二〇〇五年六月十日") > prior(form, "二〇二五年六月十日")


@pytest.mark.parametrize(
    ("read", "proposed"),
    [
        ("二〇一七年六月八日", "二〇一七年六月十八日"),
        ("二○一七年二月十日", "二○一七年一月十日"),
        ("2012年7月A2日", "2012年7月12日"),
        ("2012年07月1日", "2012年07月21日"),
        ("2016年6月20日", "2018年6月20日"),
        ("2019.06.20", "2019.06.26"),
        ("21年月30日", "2021年6月30日"),
        ("六月八日", "六月十八日"),
    ],
)
def test_dates_are_proposed_as_they_are_printed(read: str, proposed: str) -> None:
    assert proposed in graduation().proposals([read])


def test_only_whole_and_expected_dates_are_known_at_first_sight() -> None:
    known = graduation()
    assert known.familiar("二〇一七年六月十八日")
    for printed in ("二一七年六月十八日", "二〇一七年十月十八日", "二〇一七年六月", "六月十八日"):
        assert not known.familiar(printed), printed


def test_a_torn_head_is_looked_for_before_the_line() -> None:
    whole, torn, headless = (
        graduation().before(each)
        for each in ("二〇一七年六月十八日", "一七年六月十八日", "六月十八日")
    )
    assert whole < torn < headless


def capital(*lines: str) -> Language:
    field = LICENCE.field("注册资本")
    return amounts(field, Context(LICENCE, lines, field))


def test_a_numeral_is_tried_where_one_must_be() -> None:
    language = capital()
    assert "伍拾万元人民币" in language.proposals(["伍给万元人民币"])
    assert prior(language, "伍拾万元人民币") > prior(language, "伍给万元人民币")
    assert not language.familiar("伍给万元人民币")
    assert language.meaning("有限责任公司") is None


@pytest.mark.parametrize(
    "printed",
    [
        "壹佰零捌万元整",
        "人民币2800.0000万元整",
        "人民币壹仟零伍拾捌万元",
        "(人民币)伍佰万元整",
        "壹亿贰仟万元整",
        "拾万元整",
        "¥1,000,000.00元",
    ],
)
def test_amounts_are_known_as_they_are_printed(printed: str) -> None:
    assert capital().familiar(printed)
    assert prior(capital(), printed) == 0.0


def test_an_amount_that_stands_there_twice_is_likelier() -> None:
    language = capital("注册资本 壹佰万元", "实收资本 1000000元", "注册号 12")
    assert prior(language, "壹佰万元") > prior(language, "壹仟万元")


FOOT = (
    "学士学位证书\n\n\n张三，男，1996年10月23日生\n自2013年9月至2017年6月在本校学习\n\n\n\n@0.6 {}"
)


def reread(printed: str, seen: str) -> Reading:
    """The graduation date of a page on which `printed` stands under a seal's star, and where page OCR
    read `seen` in its place."""
    text = page(FOOT.format(printed), type_size=0.034)
    image = picture(text)
    last = text.lines[-1]
    x0, y0, x1, y1 = last.box
    draw = ImageDraw.Draw(image)
    for share in (0.45, 0.62):
        x = (x0 + (x1 - x0) * share) * image.width
        draw.line((x - 8, y0 * image.height, x + 8, y1 * image.height), (214, 60, 70), 5)
    lines = (*text.lines[:-1], last.model_copy(update={"text": seen, "confidence": 0.9}))
    read = PageText.model_validate(text.model_dump() | {"lines": lines})
    document = StubDocument(CERTIFICATE, [StubPage(read, image)])
    expert = Workshop(load_config()).expert("typed")
    [reading] = expert.read(document, CERTIFICATE.select(["毕业日期"])).readings
    return reading


@pytest.mark.slow
@pytest.mark.parametrize(
    ("printed", "seen"),
    [
        ("2017年6月18日", "2017年6月A8日"),
        ("2017年6月18日", "17年月18日"),
        ("二〇一七年六月十八日", "二〇一七年六月八日"),
        ("二〇一七年六月十八日", "六月十八日"),
    ],
)
def test_a_date_under_a_seal_is_read_again(printed: str, seen: str) -> None:
    reading = reread(printed, seen)
    assert reading.value == "2017-06-18"
    assert re.search("taken as 2017-06-18", "".join(reading.notes)) or seen.endswith("十八日")
    assert reading.alternatives[0].value == "2017-06-18"
    assert reading.evidence is not None
    assert reading.evidence.text == seen, "the print as it was read stays in the evidence"

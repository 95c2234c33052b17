"""What the dates of a page say of one another, and what of it the `rules` expert makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocr_moe.experts.rules.expert import RulesExpert, RulesParams
from ocr_moe.schema import load_schema
from ocr_moe.testing import StubDocument, StubPage, StubServices, page
from ocr_moe.types import Reading

SCHEMAS = Path(__file__).parent.parent / "config" / "schemas"
CERTIFICATE = load_schema(SCHEMAS / "graduation_certificate.yaml")
LICENCE = load_schema(SCHEMAS / "business_license.yaml")
EXPERT = RulesExpert("rules", RulesParams(), StubServices())
STUDIES = "在本校土木工程专业四年制本科学习，修完教学计划规定的全部课程，成绩合格，准予毕业。"


def read(rows: str, *names: str) -> list[Reading]:
    document = StubDocument(CERTIFICATE, [StubPage(page(rows))])
    return list(EXPERT.read(document, CERTIFICATE.select(names)).readings)


def dates(rows: str) -> list[str | None]:
    """Birth and graduation."""
    return [reading.value for reading in read(rows, "出生日期", "毕业日期")]


def test_a_short_year_is_of_the_era_before_it() -> None:
    rows = "國立江城大學\n學生|陳思遠|民國82年3月15日生\n准予畢業\n中華民國92年6月20日"
    birth, graduation = read(rows, "出生日期", "毕业日期")
    assert (birth.value, graduation.value) == ("1993-03-15", "2003-06-20")
    assert birth.evidence is not None
    assert birth.evidence.text == "民國82年3月15日"


def test_a_short_year_is_of_the_era_that_the_page_names() -> None:
    rows = "中華民國\n學生|陳思遠\n出生日期：82年3月15日\n准予畢業\n92年6月20日"
    assert dates(rows) == ["1993-03-15", "2003-06-20"]


def test_a_short_year_without_an_era_is_doubtful() -> None:
    rows = "学生张三，男，{}年3月15日生，{}\n二〇〇九年六月二十日"
    [short], [long] = (read(rows.format(year, STUDIES), "出生日期") for year in ("85", "1985"))
    assert short.value == long.value == "1985-03-15"
    assert short.score is not None
    assert long.score is not None
    assert short.score < 0.75 * long.score


def test_a_birth_lies_years_before_the_certificate() -> None:
    rows = "学生张三，男，{}年3月15日生，{}\n二〇一三年六月二十日"
    [old], [young] = (read(rows.format(year, STUDIES), "出生日期") for year in ("1903", "1993"))
    assert old.score is not None
    assert young.score is not None
    assert old.score < 0.5 * young.score


def test_of_what_a_year_may_have_been_the_one_that_fits_is_taken() -> None:
    rows = "学生张三，男，1982年4月5日生，{}年9月至{}年6月{}\n二五年六月十日"
    assert dates(rows.format(2001, 2005, STUDIES)) == ["1982-04-05", "2005-06-10"]
    later = rows.replace("1982", "2002").format(2021, 2025, STUDIES)
    assert dates(later) == ["2002-04-05", "2025-06-10"]


def test_a_birth_without_a_label_is_the_earliest_date() -> None:
    rows = (
        ">>张三\n>>男\n>>一九九一年十月四日\n>>应用化学专业\n授予工学学士学位\n二〇一三年七月三十日"
    )
    assert dates(rows) == ["1991-10-04", "2013-07-30"]
    without = ">>张三\n>>男\n>>应用化学专业\n授予工学学士学位\n二〇一三年七月三十日"
    assert dates(without)[0] is None


def test_the_first_day_of_the_studies_is_not_that_of_the_certificate() -> None:
    form = "姓名|张三\n入学日期|2017年9月\n学校名称|浙江理工大学\n成绩合格，准予毕业"
    assert dates(form)[1] is None


def test_a_day_that_lost_its_year_is_of_the_month_in_which_the_studies_ended() -> None:
    rows = "学生张三，男，1995年7月31日生，于2012年9月至2017年6月{}\n>>>>>六月十八日"
    assert dates(rows.format(STUDIES))[1] == "2017-06-18"
    other = rows.replace("六月十八日", "八月十八日").format(STUDIES)
    assert dates(other)[1] != "2017-08-18"


@pytest.mark.parametrize(
    ("rows", "start", "term"),
    [
        (
            "成立日期|@0.25 二〇一〇年一月二十九日|@0.7 年|@0.8 日\n"
            "营业期限|@0.25 自二〇一〇年一月二十九日\n@0.25 至二〇二〇年一月二十八日",
            "2010-01-29",
            "自二〇一〇年一月二十九日至二〇二〇年一月二十八日",
        ),
        (
            "成立日期|@0.25 二〇一三年三月十八日\n"
            "营业期限|@0.25 二〇一三年三月十八日|@0.5 至二〇二三年三月十七日",
            "2013-03-18",
            "二〇一三年三月十八日至二〇二三年三月十七日",
        ),
    ],
)
def test_terms_of_business_of_old_licences(rows: str, start: str, term: str) -> None:
    head = "企业法人营业执照\n名称|@0.25 大连义顺达国际贸易有限公司\n住所|@0.25 大连市松江路136号\n"
    document = StubDocument(LICENCE, [StubPage(page(head + rows))])
    asked = LICENCE.select(["成立日期", "营业期限"])
    assert [reading.value for reading in EXPERT.read(document, asked).readings] == [start, term]


def test_a_label_that_lost_a_letter_in_the_middle() -> None:
    rows = (
        "企业法人营业执照\n住|@0.2 所|@0.27 东莞市樟木头镇南城大道126号\n"
        "公|@0.13 司|@0.165 类|@0.2 型|@0.27 有限责任公司\n"
        "成|@0.165 日|@0.2 期|@0.27 二〇〇六年二月十三日"
    )
    document = StubDocument(LICENCE, [StubPage(page(rows))])
    [reading] = EXPERT.read(document, LICENCE.select(["成立日期"])).readings
    assert reading.value == "2006-02-13"
    assert reading.features["label"] > 0.0

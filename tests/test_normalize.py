"""Values as they are printed, and as they are written down."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ocr_moe.schema import Field, Kind
from ocr_moe.values.amounts import parse_amount
from ocr_moe.values.choices import listed_words
from ocr_moe.values.codes import code_belief, find_code
from ocr_moe.values.dates import find_dates, in_era, parse_date, small_number, sole_era
from ocr_moe.values.names import person_belief
from ocr_moe.values.normalize import equal, normalize

TEXT = Field(name="t")
PERSON = Field(name="p", kind=Kind.PERSON)
ORGANISATION = Field(name="o", kind=Kind.ORGANISATION)
DATE = Field(name="d", kind=Kind.DATE)
MONEY = Field(name="m", kind=Kind.MONEY)
LEVEL = Field(
    name="学历层次",
    kind=Kind.ENUM,
    values={
        "专科": ("大专", "高职"),
        "本科": ("大学本科", "学士", "专升本"),
        "硕士研究生": ("硕士", "研究生"),
        "博士研究生": ("博士",),
    },
)
CODE = Field(name="证书编号", kind=Kind.CODE, labels=("证书编号", "No."))
STRICT = Field.model_validate(
    {
        "name": "code",
        "kind": "code",
        "grammars": [{"name": "six", "segments": [{"length": 6, "alphabet": "alphanumeric"}]}],
    }
)


@pytest.mark.parametrize(
    ("printed", "iso"),
    [
        ("二〇一九年六月二十日", "2019-06-20"),
        ("二O一九年六月二十日", "2019-06-20"),
        ("二○一九年六月廿五日", "2019-06-25"),
        ("二零一九年六月卅日", "2019-06-30"),
        ("贰零壹玖年零陆月贰拾壹日", "2019-06-21"),
        ("二0一九年 十二月 卅一 日", "2019-12-31"),
        ("一九九八年元月八日", "1998-01-08"),
        ("2019 年 6 月 20 日", "2019-06-20"),
        ("２０１９年０６月２０日", "2019-06-20"),
        ("2 0 1 9 年 6 月 2 0 日", "2019-06-20"),
        ("2019年6月2O日", "2019-06-20"),
        ("2019年6月20曰", "2019-06-20"),
        ("2019.06.20", "2019-06-20"),
        ("2019-6-20", "2019-06-20"),
        ("2019/06/20", "2019-06-20"),
        ("20190620", "2019-06-20"),
        ("2019-06-20 00:00:00", "2019-06-20"),
        ("二。一九年六月二十日", "2019-06-20"),
        ("二一九年六月二十日", "2019-06-20"),
        ("二〇一九六月二十日", "2019-06-20"),
        ("一九九年十月十日", "1990-10-10"),
        ("〇〇六年二月十三日", "2006-02-13"),
        ("2019年6月", "2019-06"),
        ("2019-06", "2019-06"),
        ("201906", "2019-06"),
        ("2019年06月日", "2019-06"),
        ("一九七〇年五月生", "1970-05"),
        ("22/12/2017", "2017-12-22"),
        ("12/25/2017", "2017-12-25"),
        ("28-12-17", "2017-12-28"),
        ("27 MAR 2018", "2018-03-27"),
        ("15/APR/2017", "2017-04-15"),
        ("05-Aug-2017 14:33", "2017-08-05"),
        ("June 20th, 2019", "2019-06-20"),
    ],
)
def test_dates_in_all_the_ways_they_are_printed(printed: str, iso: str) -> None:
    assert normalize(DATE, printed) == iso


@pytest.mark.parametrize("text", ["", "年月日", "长期", "13/13/2017", "2019.13.1", "1061312025"])
def test_what_is_no_date_has_no_value(text: str) -> None:
    assert normalize(DATE, text) is None


_CHINESE = "〇一二三四五六七八九"


def _chinese(number: int) -> str:
    tens, units = divmod(number, 10)
    head = "" if tens == 0 else ("十" if tens == 1 else f"{_CHINESE[tens]}十")
    return head + (_CHINESE[units] if units else "")


@given(st.dates(date(1950, 1, 1), date(2049, 12, 31)))
def test_every_date_survives_every_way_of_printing_it(day: date) -> None:
    year = "".join(_CHINESE[int(digit)] for digit in str(day.year))
    for printed in (
        f"{day.year}年{day.month}月{day.day}日",
        f"{day:%Y年%m月%d日}",
        f"{day:%Y.%m.%d}",
        f"{day:%Y%m%d}",
        f"{year}年{_chinese(day.month)}月{_chinese(day.day)}日",
        f"{year} 年 {_chinese(day.month)} 月 {_chinese(day.day)} 日",
    ):
        assert parse_date(printed) == day.isoformat(), printed


@given(st.text(max_size=40))
def test_dates_lie_within_the_text_and_apart(text: str) -> None:
    spans = find_dates(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(a.end <= b.start for a, b in pairwise(spans))


def test_dates_are_found_in_prose_with_their_places() -> None:
    text = "一九九八年六月二十日生,于2015年9月至2019年6月在本校学习"
    found = [(text[span.start : span.end], span.iso) for span in find_dates(text)]
    assert found == [
        ("一九九八年六月二十日", "1998-06-20"),
        ("2015年9月", "2015-09"),
        ("2019年6月", "2019-06"),
    ]


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        # Strokes that are none of the date's, and strokes that were lost.
        ("2005年-06月10日", "2005-06-10"),
        ("2007年06一月30日", "2007-06-30"),
        ("2025年 12 月/18 日", "2025-12-18"),
        ("二〇-七年六月二+六日", "2017-06-26"),
        ("202507-20", "2025-07-20"),
        ("1981年08月26旦出生", "1981-08-26"),
        ("二〇一九年六月廿日", "2019-06-20"),
        # Years of which characters are missing.
        ("0一七年六月二十二日", "2017-06-22"),
        ("二五年六月十日", "2005-06-10"),
        ("二〇年十月十八日", "2000-10-18"),
        ("九九六年十月一日", "1996-10-01"),
        ("181年10月26日", "1981-10-26"),
        ("201年6月6日", "2001-06-06"),
        # Eras.
        ("民國82年3月15日", "1993-03-15"),
        ("昭和六十三年三月十五日", "1988-03-15"),
        # English in words, and misread.
        ("this seventeenth day of May, two thousand and nineteen", "2019-05-17"),
        ("June the twenty-first, nineteen hundred and ninety-eight", "1998-06-21"),
        ("the 3rd day of July in the year of our Lord two thousand and one", "2001-07-03"),
        ("20th June 2019", "2019-06-20"),
        ("on Jone 10. 2018", "2018-06-10"),
    ],
)
def test_damaged_and_foreign_dates(text: str, iso: str) -> None:
    [span] = find_dates(text)
    assert span.iso == iso


@pytest.mark.parametrize("text", ["第181年", "Martin 10, 2018", "twenty May", "102年6月20日"])
def test_what_is_no_date(text: str) -> None:
    assert find_dates(text) == []


def test_a_date_of_which_something_is_missing_says_so() -> None:
    for text in ("2012年7月A2日", "一九九一年九月十旦", "二〇一九年六月十", "85年3月15日"):
        [span] = find_dates(text)
        assert not span.whole, text
    [unreadable] = find_dates("2012年7月A2日")
    assert (unreadable.iso, unreadable.end) == ("2012-07", len("2012年7月A2日"))
    [guessed] = find_dates("二五年六月十日")
    assert "2025-06-10" in guessed.others


def test_an_era_that_is_named_elsewhere() -> None:
    assert in_era("82年3月15日", "民國") == "1993-03-15"
    assert in_era("1982年3月15日", "民國") is None
    assert sole_era("中華民國……民国") in ("民国", "民國")
    assert sole_era("昭和63年……平成15年") is None


def test_a_guessed_year_says_so() -> None:
    assert [span.whole for span in find_dates("二一九年六月二十日")] == [False]
    assert [span.whole for span in find_dates("二〇一九年六月二十日")] == [True]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("廿五", 25),
        ("卅", 30),
        ("十", 10),
        ("二十", 20),
        ("三十一", 31),
        ("06", 6),
        ("二五八", None),
    ],
)
def test_small_numbers(text: str, number: int | None) -> None:
    assert small_number(text) == number


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("壹佰万元整", 1_000_000),
        ("人民币100万元", 1_000_000),
        ("100.000000万元", 1_000_000),
        ("1000000元", 1_000_000),
        ("1,000,000.00", 1_000_000),
        ("伍仟零伍拾万元整", 50_500_000),
        ("叁佰壹拾贰万肆仟圆整", 3_124_000),
        ("壹亿贰仟万元", 120_000_000),
        ("1亿2000万元", 120_000_000),
        ("拾万元人民币", 100_000),
        ("3千万元", 30_000_000),
        ("一万亿", 10**12),
    ],
)
def test_amounts(text: str, amount: int) -> None:
    parsed = parse_amount(text)
    assert parsed is not None
    assert parsed.value == amount


@given(st.integers(1, 10**9))
def test_every_whole_amount_is_read_with_and_without_separators(amount: int) -> None:
    for text in (f"{amount}", f"{amount:,}", f"{amount}元", f"¥{amount:,}.00"):
        parsed = parse_amount(text)
        assert parsed is not None
        assert parsed.value == amount


def test_money_is_kept_as_printed_and_equal_by_amount() -> None:
    assert normalize(MONEY, " 人民币 壹佰 万元整。") == "人民币壹佰万元整"
    assert equal(MONEY, "壹佰万元整", "人民币100.000000万元")
    assert equal(MONEY, "RM 22.90", "22.90")
    assert not equal(MONEY, "100万美元", "100万人民币")
    assert not equal(MONEY, "壹佰万元整", "壹仟万元整")


def test_text_loses_spaces_between_chinese_characters_only() -> None:
    assert normalize(TEXT, "北京　大学 ABC  Co （有限）") == "北京大学 ABC Co (有限)"
    assert normalize(TEXT, "Ｎｏ．１２ JALAN") == "No.12 JALAN"
    assert normalize(TEXT, " \u200b ") is None


def test_capitals_throughout_are_another_way_of_writing() -> None:
    assert equal(ORGANISATION, "Linden Realties Ltd", "LINDEN REALTIES LTD")
    assert equal(PERSON, "MÜLLER, ANNA", "Müller, Anna")
    assert not equal(TEXT, "Linden ltd", "linden Ltd")
    assert not equal(TEXT, "LINDEN", "LIMDEN")


def test_names_of_people() -> None:
    assert normalize(PERSON, "张 三、") == "张三"
    assert normalize(PERSON, "阿依古丽•买买提") == "阿依古丽·买买提"
    assert normalize(ORGANISATION, "华东理工大学：") == "华东理工大学"
    assert normalize(PERSON, "GARCÍA LÓPEZ ,José") == "GARCÍA LÓPEZ, José"


def test_latin_names_that_lost_their_spaces_are_believed_less() -> None:
    whole = {person_belief(n) for n in ("MOHAMMED ALI HASSAN", "Seán O'Brien", "Anne McDonald")}
    torn = {person_belief(n) for n in ("MOHAMMEDALIHASSAN", "JoséLuisNÚÑEZ")}
    assert max(torn) < min(whole)
    assert person_belief("Käthe Müller-Lüdenscheidt") in whole


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        ("大学本科", "本科"),
        ("工学学士学位", "本科"),
        ("硕 士", "硕士研究生"),
        ("博士研究生", "博士研究生"),
        ("高职(大专)", "专科"),
        ("小学", None),
    ],
)
def test_enum_synonyms(printed: str, value: str | None) -> None:
    assert normalize(LEVEL, printed) == value


def test_latin_synonyms_stand_alone() -> None:
    sex = Field(name="s", kind=Kind.ENUM, values={"男": ("male",), "女": ("female",)})
    assert normalize(sex, "Female") == "女"
    assert normalize(sex, "Sex: Male") == "男"


HONOURS = Field(
    name="h",
    kind=Kind.ENUM,
    values={"cum laude": (), "magna cum laude": (), "M": ("male",), "graduate": ()},
)


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        (HONOURS, "graduated magna cum laude", ["magna cum laude"]),
        (HONOURS, "Mechanical Engineering, undergraduate", []),
        (HONOURS, "Sex M. Cum Laude", ["cum laude", "M"]),
        (LEVEL, "博士研究生培养计划", ["博士研究生"]),
        (LEVEL, "博士生导师，硕士研究生", ["硕士研究生", "博士研究生"]),
    ],
)
def test_listed_words_stand_alone_and_the_longest_counts(
    field: Field, text: str, said: list[str]
) -> None:
    found = list(listed_words(field, text))
    assert [value for value, _, _ in found] == said
    assert all(text[at : at + len(word)].lower() == word.lower() for _, word, at in found)


def test_codes_are_characters_only() -> None:
    assert normalize(CODE, "证书编号：1061 3120 2505 0049 31") == "106131202505004931"
    assert normalize(CODE, "No. 12-34") == "12-34"
    assert normalize(STRICT, "ab 12-cd") == "AB12CD"
    assert equal(STRICT, "AB12CD", "ab 12 cd")
    assert not equal(STRICT, "AB12CD", "AB12C0")


def test_codes_of_a_further_form_keep_their_characters() -> None:
    numbered = STRICT.model_copy(update={"forms": (r"\(\d{2,3}\)[\u3400-\u9fff]+字第\d+号",)})
    part = find_code(numbered, "证书字号：(103)台大字第0123号 12")
    assert part is not None
    assert part.text == "(103)台大字第0123号"
    assert code_belief(STRICT, part.text) < code_belief(numbered, part.text)
    assert code_belief(numbered, part.text) < code_belief(numbered, "123456")
    strict = find_code(numbered, "(103)台大字第012345号")
    assert strict is not None
    assert strict.text == "012345"  # a grammar outranks a form


def test_a_further_form_must_be_a_regular_expression() -> None:
    with pytest.raises(ValidationError, match="is not a regular expression"):
        Field(name="c", kind=Kind.CODE, forms=("(",))


@pytest.mark.parametrize(
    "other",
    [
        "2013年1月24日至2043年1月23日",
        "自二〇一三年一月廿四日至二〇四三年一月二十三日止",
        "2013-01-24至2043-01-23",
    ],
)
def test_ranges_of_dates_are_equal_by_their_dates(other: str) -> None:
    assert equal(TEXT, "2013年01月24日 至 2043年01月23日", other)


def test_open_ranges() -> None:
    assert equal(TEXT, "2013年01月24日至长期", "自2013年1月24日至永久")
    assert not equal(TEXT, "2013年01月24日至长期", "2013年01月24日至2043年01月23日")
    assert equal(TEXT, "长期", "至长期")


def test_equal_text_disregards_kinds_of_dash_and_spaces_but_not_letters() -> None:
    assert equal(TEXT, "一园1－3号 5室", "一园1—3号5室")
    assert equal(TEXT, "东莞市长安镇霄边大道96号。", "东莞市长安镇霄边大道96号")
    assert not equal(TEXT, "霄边大道96号", "霄边大道98号")
    assert equal(PERSON, "陳思遠", "陈思远")
    assert equal(ORGANISATION, "國立臺灣大學", "国立台湾大学")
    assert not equal(TEXT, "ABC", "")


@given(
    st.text(max_size=30), st.sampled_from([TEXT, PERSON, ORGANISATION, DATE, MONEY, LEVEL, CODE])
)
def test_normalising_twice_changes_nothing(text: str, field: Field) -> None:
    once = normalize(field, text)
    if once is not None:
        assert normalize(field, once) == once
        assert equal(field, text, once)

"""What the fields of a record say about one another."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocr_moe.routing.consistency import check
from ocr_moe.schema import Check, Schema, load_schema

SCHEMAS = Path(__file__).parent.parent / "config" / "schemas"
CERTIFICATE = load_schema(SCHEMAS / "graduation_certificate.yaml")
LICENCE = load_schema(SCHEMAS / "business_license.yaml")
DATES_IN_ORDER = Check(kind="date_order", fields=("出生日期", "毕业日期"))
GOOD: dict[str, str | None] = {
    "出生日期": "1998-06-20",
    "毕业日期": "2019-06-20",
    "证书编号": "106131201905004931",
}


def test_a_consistent_record_has_no_notes() -> None:
    assert check(CERTIFICATE, GOOD) == {}
    assert check(CERTIFICATE, dict.fromkeys(CERTIFICATE.names)) == {}
    assert check(CERTIFICATE, {}) == {}


def test_birth_after_graduation() -> None:
    notes = check(CERTIFICATE, GOOD | {"出生日期": "2020-01-01"})
    assert set(notes) == {"出生日期", "毕业日期"}
    [found] = notes["出生日期"]
    assert "出生日期" in found.note
    assert found.impossible


@pytest.mark.parametrize(
    ("born", "noted"), [("1998-06-20", False), ("1903-06-20", True), ("2015-06-20", True)]
)
def test_a_graduate_is_neither_a_child_nor_of_another_century(born: str, noted: bool) -> None:
    assert ("出生日期" in check(CERTIFICATE, GOOD | {"出生日期": born})) is noted


@pytest.mark.parametrize(
    ("date", "noted"),
    [("2019-06-20", False), ("2019-06", False), ("2019-06-21", True), ("2036-12-22", True)],
)
def test_nothing_is_dated_after_the_day_of_the_run(date: str, noted: bool) -> None:
    dated = {"毕业日期": date, "出生日期": "1998-06-20"}
    assert ("毕业日期" in check(CERTIFICATE, dated, "2019-06-20")) is noted
    assert check(CERTIFICATE, dated) == {}, "nothing is known of the day"


def test_dates_are_compared_as_exactly_as_both_are_known() -> None:
    schema = CERTIFICATE.model_copy(update={"checks": (DATES_IN_ORDER,)})
    assert check(schema, GOOD | {"出生日期": "2019-06"}) == {}
    assert check(schema, GOOD | {"出生日期": "2019-07"}) != {}


@pytest.mark.parametrize(
    ("code", "date", "noted"),
    [
        ("106131201905004931", "2019-06-20", False),
        ("106131201805004931", "2019-06-20", True),
        ("1061342019000123", "2019-06-20", False),
        ("1061342017000123", "2019-06-20", True),
        ("65320102061012345", "2006-06-30", False),
        ("65320102071012345", "2006-06-30", True),
        ("870123", "1987-07-10", False),
    ],
)
def test_year_within_the_number(code: str, date: str, noted: bool) -> None:
    notes = check(CERTIFICATE, {"证书编号": code, "毕业日期": date})
    assert ("证书编号" in notes) is noted
    assert ("毕业日期" in notes) is noted


@pytest.mark.parametrize(
    ("code", "noted"),
    [
        ("91371482MA3CFKE25H", False),
        ("91371482MA3CFKE25J", True),
        ("370724600056737", False),
        ("370724600056738", True),
        ("9137148", True),
        (None, False),
    ],
)
def test_check_characters(code: str | None, noted: bool) -> None:
    assert ("统一社会信用代码" in check(LICENCE, {"统一社会信用代码": code})) is noted


def test_checks_without_a_message_say_what_is_wrong() -> None:
    schema = Schema.model_validate(
        {
            "name": "x",
            "fields": [{"name": "a", "kind": "date"}, {"name": "b", "kind": "date"}],
            "checks": [{"kind": "date_order", "fields": ["a", "b"]}],
        }
    )
    notes = check(schema, {"a": "2020-01-01", "b": "2019-01-01"})
    told = [each.note for each in notes["a"]]
    assert notes["a"] == notes["b"]
    assert told == ["a (2020-01-01) is after b (2019-01-01)"]

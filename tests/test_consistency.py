"""What the fields of a record say about one another."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocr_moe.routing.consistency import check
from ocr_moe.schema import Schema, load_schema

SCHEMAS = Path(__file__).parent.parent / "config" / "schemas"
CERTIFICATE = load_schema(SCHEMAS / "graduation_certificate.yaml")
LICENCE = load_schema(SCHEMAS / "business_license.yaml")
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
    assert "出生日期" in notes["出生日期"][0]


def test_dates_are_compared_as_exactly_as_both_are_known() -> None:
    assert check(CERTIFICATE, GOOD | {"出生日期": "2019-06"}) == {}
    assert check(CERTIFICATE, GOOD | {"出生日期": "2019-07"}) != {}


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
    assert notes["a"] == notes["b"] == ["a (2020-01-01) is after b (2019-01-01)"]

"""Look-alikes: what each reader takes for which digit, in full."""

from __future__ import annotations

from ocr_moe.codes import lookalikes
from ocr_moe.codes.grammar import DIGITS
from ocr_moe.values.dates import parse_date


def test_what_looks_like_a_digit() -> None:
    of = lookalikes.DIGIT_OF
    assert of == dict(zip("ODQILZSBG", "000112586", strict=True))
    assert {k: v for k, v in of.items() if k not in ("D", "G")} == lookalikes.SURE_DIGIT_OF
    assert set(of.values()) <= set(DIGITS)


def test_a_social_credit_code_has_the_other_glyph() -> None:
    assert dict(zip("OIZSV", "0125U", strict=True)) == lookalikes.CREDIT_CODE_TWINS


def test_a_glyph_of_two_groups_goes_by_its_capital() -> None:
    for letter, digit in lookalikes.DIGIT_OF.items():
        group = next(each for each in lookalikes.GROUPS if letter in each or letter.lower() in each)
        assert group[0] == digit


def test_dates_take_their_own_look_alikes() -> None:
    for zero in lookalikes.ZEROS_IN_DATES:
        assert parse_date(f"2{zero}19年6月") == "2019-06", zero
    for one in lookalikes.ONES_IN_DATES:
        assert parse_date(f"20{one}9年6月") == "2019-06", one
    for ring in lookalikes.ZEROS_UNDER_SEALS:
        assert parse_date(f"二{ring}一九年六月") == "2019-06", ring

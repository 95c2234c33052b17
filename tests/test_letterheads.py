"""Firms' names over two rows, addresses as blocks of rows, and values that are as likely as another."""

from __future__ import annotations

import pytest

from ocr_moe.experts.rules.expert import RulesExpert
from ocr_moe.reading.letterheads import own_words
from ocr_moe.routing.calibration import PRIOR, Calibration, Logistic, Weight
from ocr_moe.schema import Fallback, Field, Kind, Schema
from ocr_moe.testing import StubDocument, StubPage, StubServices, page
from ocr_moe.types import Reading
from ocr_moe.values.normalize import normalize

EXPERT = RulesExpert("rules", RulesExpert.Params(), StubServices())
FIRM = Field(name="firm", kind=Kind.ORGANISATION, patterns=(r"(?m)^.*\b(?:LTD|SDN|HARDWARE)\b.*$",))
ADDRESS = Field(
    name="address",
    shape=r"\b\d{5}\b|ROAD|LANE",
    reject="TEL|INVOICE",
    fallbacks=(Fallback.BLOCK,),
)


def read(field: Field, rows: str) -> Reading:
    document = StubDocument(Schema(name="bill", fields=(field,)), [StubPage(page(rows))])
    [reading] = EXPERT.read(document, [field]).readings
    return reading


@pytest.mark.parametrize(
    ("rows", "firm"),
    [
        (
            "@0.3 NORTHERN LIGHT\n@0.28 CO. (M) SDN BHD\n(113825-W)",
            "NORTHERN LIGHT CO. (M) SDN BHD",
        ),
        (
            "@0.2 OAK & ELM HARDWARE &\n@0.3 GARDENING\nNO. 4 MILL LANE",
            "OAK & ELM HARDWARE & GARDENING",
        ),
        ("@0.3 WELCOME\n@0.2 BRIGHT HARBOUR TRADING LTD", "BRIGHT HARBOUR TRADING LTD"),
        ("@0.3 3180404\n@0.3 TRADING LTD", "TRADING LTD"),
        ("@0.1 HIGH STREET\n@0.7 TRADING LTD", "TRADING LTD"),
    ],
    ids=["above", "below", "whole", "a number above", "not aligned"],
)
def test_a_name_over_two_rows_is_one(rows: str, firm: str) -> None:
    assert read(FIRM, rows).value == firm


def test_where_one_word_may_be_the_whole_name_both_are_weighed() -> None:
    alone = read(FIRM, "@0.3 12345\n@0.3 LINDEN LTD")
    doubtful = read(FIRM, "@0.3 WELCOME TO\n@0.3 LINDEN LTD")
    assert doubtful.score is not None
    assert alone.score is not None
    assert doubtful.score < 0.9 * alone.score


@pytest.mark.parametrize(
    ("name", "words"),
    [("CO. (M) SDN BHD", 0), ("LINDEN LTD", 1), ("Bright Harbour Trading Ltd", 2)],
)
def test_legal_forms_are_no_words_of_a_name(name: str, words: int) -> None:
    assert own_words(name) == words


def test_a_block_does_not_begin_with_a_firm_s_number() -> None:
    rows = "LINDEN LTD\n(51234-M)\nNO. 4 MILL LANE\n43210 HILLTOP\nTEL 12345"
    assert read(ADDRESS, rows).value == "NO. 4 MILL LANE 43210 HILLTOP"


def test_a_block_ends_where_a_row_stands_apart() -> None:
    rows = "NO. 4 MILL LANE\n43210 HILLTOP\n\n\nORDER 98765"
    assert read(ADDRESS, rows).value == "NO. 4 MILL LANE 43210 HILLTOP"


def test_of_two_values_as_likely_neither_is_believed() -> None:
    issuer = Field(name="issuer", kind=Kind.ORGANISATION, fallbacks=(Fallback.ORGANISATION,))
    tied = read(issuer, "江海职业技术学院\n云岭设计有限公司")
    assert tied.ceiling == 0.5
    assert tied.notes == ("another value is as likely",)
    assert read(issuer, "江海职业技术学院").ceiling == 1.0


@pytest.mark.parametrize(
    ("rows", "ceiling"),
    [
        ("LINDEN LTD\nTHANK YOU FOR CALLING AT THE HARDWARE STORE", 0.5),
        ("OAK HARDWARE\nOWNED BY\nLINDEN LTD", 0.5),
        ("LINDEN LTD\nTHANK YOU", 1.0),
        ("LINDEN LTD\nTILL 4\nLinden Ltd", 1.0),
    ],
)
def test_a_pattern_that_finds_another_value_too_tells_neither(rows: str, ceiling: float) -> None:
    reading = read(FIRM, rows)
    assert reading.ceiling == ceiling
    assert (reading.notes == ()) == (ceiling == 1.0)


TOTAL = Field(name="total", kind=Kind.MONEY, labels=("Total",))


@pytest.mark.parametrize(
    ("rows", "other"),
    [
        ("Total|@0.6 19.99\nRounding|@0.6 0.01\nTo pay|@0.6 20.00", "20.00"),
        ("Total|@0.6 100.62\nAdjustment|@0.6 -0.02\nVisa|@0.6 100.60", "100.60"),
        ("Total|@0.6 1,245.34\nRounding|@0.6 .01\nCash|@0.6 1,245.35", "1,245.35"),
        ("Total|@0.6 19.99\nCash|@0.6 20.00", None),  # nothing says that it was rounded
        ("Total|@0.6 20.00\nRounding|@0.6 0.00\nCash|@0.6 20.00", None),
        ("Tea|@0.6 4.95\nTea|@0.6 4.90\nTotal|@0.6 9.85\nTax at 0.05%|@0.6 1.00", None),
    ],
)
def test_a_sum_that_is_also_given_rounded_is_for_a_person(rows: str, other: str | None) -> None:
    reading = read(TOTAL, rows)
    assert reading.ceiling == (1.0 if other is None else 0.5)
    told = () if other is None else (f"the page also gives this sum as {other}, rounded",)
    assert reading.notes == told


@pytest.mark.parametrize(
    ("rows", "value"),
    [
        ("Total Sales (Inclusive of GST) :|@0.6 53.00", "53.00"),
        ("Total incl. GST|@0.6 53.00\nCash|@0.6 60.00", "53.00"),
        ("Total with GST @6%|@0.6 53.00", "53.00"),
        ("Total|@0.6 53.00\nGST 6% included in total|@0.6 3.00", "53.00"),
        ("Total: 53.00 GST: 3.00", "53.00"),
    ],
)
def test_a_label_that_says_more_of_another_is_none(rows: str, value: str | None) -> None:
    bill = Schema(name="bill", fields=(TOTAL,), other_labels=("GST", "Cash"))
    document = StubDocument(bill, [StubPage(page(rows))])
    [reading] = EXPERT.read(document, [TOTAL]).readings
    assert reading.value == value


@pytest.mark.parametrize("rows", ["GST included in total|@0.6 3.00", "Total GST|@0.6 3.00"])
def test_what_another_label_announces_is_hardly_believed(rows: str) -> None:
    bill = Schema(name="bill", fields=(TOTAL,), other_labels=("GST", "Cash"))
    [reading] = EXPERT.read(StubDocument(bill, [StubPage(page(rows))]), [TOTAL]).readings
    assert reading.score is not None
    assert reading.score < 0.5


def test_a_rate_is_no_amount() -> None:
    assert read(TOTAL, "Total incl. tax 6.00% RM|@0.6 47.70").value == "47.70"
    assert read(TOTAL, "Total at 19 %:|@0.6 1,047.70").value == "1,047.70"
    assert read(TOTAL, "Total|@0.6 6.00%").value is None


@pytest.mark.parametrize(
    ("rows", "clear"),
    [
        ("标题:结构力学", 1.0),
        ("标题结构力学", 0.0),  # glued: the label may end elsewhere
        ("标题:结构力学\n标题:材料力学", 0.0),
        ("标题:" + "关于" * 20, 0.0),
    ],
)
def test_what_is_a_clear_case(rows: str, clear: float) -> None:
    title = Field(name="title", labels=("标题",))
    assert read(title, rows).features["clear"] == clear


def test_a_clear_case_may_be_accepted_without_a_second_expert() -> None:
    alone = {"score": 2.5, "evidence": 1.0}
    assert PRIOR.probability(alone) < PRIOR.probability(alone | {"rules.clear": 1.0})
    assert PRIOR.probability(alone | {"rules.clear": 1.0}) > 0.9


def test_an_empty_box_counts_for_a_calibration_that_never_saw_one() -> None:
    fitted = Logistic(bias=0.5, weights={"required": Weight(weight=-1.0)})
    model = Calibration(absence=fitted).absence_of()
    assert model.logit({"rules.empty": 1.0}) == pytest.approx(model.logit({}) + 1.5)
    assert model.logit({}) == fitted.logit({})
    own = Logistic(bias=0.5, weights={"rules.empty": Weight(weight=0.2)})
    assert Calibration(absence=own).absence_of().logit({"rules.empty": 1.0}) == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        ("LINDEN PAPER SDN BHD (1248717-W)", "LINDEN PAPER SDN BHD"),
        ("LINDEN (KL) LTD (Reg No 12345678)", "LINDEN (KL) LTD"),
        ("Studio Linden (1999)", "Studio Linden (1999)"),
        ("北京师范大学(珠海)", "北京师范大学(珠海)"),
        ("江海三厂(91320105)", "江海三厂(91320105)"),
    ],
)
def test_a_registered_number_is_no_part_of_a_latin_name(printed: str, name: str) -> None:
    assert normalize(FIRM, printed) == name

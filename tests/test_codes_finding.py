"""Where the code stands among the lines that page OCR read."""

from __future__ import annotations

import math

import pytest

from ocr_moe.codes.finding import find_codes
from ocr_moe.codes.grammar import CodeGrammar, Segment
from ocr_moe.types import Line, PageText

DIPLOMA = CodeGrammar(
    name="diploma",
    segments=(
        Segment(length=5),
        Segment(length=1, values=("1", "5")),
        Segment(name="year", length=4, values=("1990-2039",)),
        Segment(length=8),
    ),
)
CREDIT = CodeGrammar(
    name="credit",
    check="uscc",
    labels=("统一社会信用代码",),
    segments=(
        Segment(length=8),
        Segment(length=10, alphabet="0123456789ABCDEFGHJKLMNPQRTUWXY"),
    ),
)
LABELS = ("证书编号", "编号", "No")
CODE = "106131202505004931"
WIDTH, HEIGHT = 1500, 1060


def page(*lines: tuple[str, float, float], tilt: float = 0.0) -> PageText:
    """Lines of 24-pixel type at (left, middle) pixels, the whole page turned by `tilt` degrees."""
    angle = math.radians(tilt)

    def turned(x: float, y: float) -> tuple[float, float]:
        x, y = x - WIDTH / 2, y - HEIGHT / 2
        return (
            (x * math.cos(angle) - y * math.sin(angle) + WIDTH / 2) / WIDTH,
            (x * math.sin(angle) + y * math.cos(angle) + HEIGHT / 2) / HEIGHT,
        )

    placed = []
    for text, left, middle in lines:
        right = left + sum(24 if ord(c) > 0x2E80 else 13 for c in text)
        top, bottom = middle - 14, middle + 14
        quad = (
            turned(left, top),
            turned(right, top),
            turned(right, bottom),
            turned(left, bottom),
        )
        placed.append(Line(text=text, confidence=0.99, quad=quad))
    return PageText(engine="test", width=WIDTH, height=HEIGHT, rotation=0, lines=tuple(placed))


@pytest.mark.parametrize(
    "lines",
    [
        [(f"证书编号:{CODE}", 100, 900)],
        [(f"证书编号：No.{CODE}", 100, 900)],
        [(f"No.{CODE}", 100, 900)],
        [(f"编号：{CODE}", 100, 900)],
        [("证书编号", 100, 900), (CODE, 1000, 900)],
        [("证书编号：", 100, 900), (CODE, 110, 940)],
        [(CODE, 110, 900), ("证书编号", 150, 940)],
        [("证书编号:10613 1 2025 05 004931", 100, 900)],
        [("证书编号:1061-3120-2505-0049-31", 100, 900)],
        [("证书编号:106131202", 100, 900), ("505004931", 330, 900)],
        [("证书编号:1061312025", 500, 900), ("05004931", 500, 940)],
        [("证书编亏:106131202505004931", 100, 900)],
        [(f"证书编号:{CODE}(1-1)", 100, 900)],
    ],
    ids=lambda lines: " / ".join(text for text, _, _ in lines),
)
def test_one_number_however_it_is_printed(lines: list[tuple[str, float, float]]) -> None:
    noise = [("二〇二五年六月二十日", 900, 800), ("身份证号510101199901011234", 100, 300)]
    for tilt in (0.0, 4.0, -4.0):
        found = find_codes(page(*noise, *lines, tilt=tilt), [DIPLOMA], LABELS, ("身份证号",))
        assert found.places[0].code == CODE, tilt
        assert found.places[0].label is not None


def test_the_strip_of_a_number_covers_it_and_runs_on_where_it_was_cut() -> None:
    whole = find_codes(page((f"证书编号:{CODE}", 100, 900)), [DIPLOMA], LABELS).places[0]
    cut = find_codes(page(("证书编号:10613120250", 100, 900)), [DIPLOMA], LABELS).places[0]
    assert whole.code == CODE
    assert cut.code is None
    assert cut.strips[0].after > whole.strips[0].after + 2.0
    (x0, _), (x1, _), _, _ = whole.strips[0].quad
    assert x0 * WIDTH <= 200
    assert x1 * WIDTH >= 430


def test_a_digit_read_as_a_bracket_does_not_break_a_number() -> None:
    found = find_codes(page(("证书编号:1061312025(505004931", 100, 900)), [DIPLOMA], LABELS)
    (only,) = found.places
    assert only.run == "1061312025505004931"
    assert not only.exact
    (x0, _), (x1, _), _, _ = only.strips[0].quad
    assert x0 * WIDTH <= 200
    assert x1 * WIDTH >= 450


def test_the_labelled_of_two_codes_wins() -> None:
    other = "106131202505009999"
    found = find_codes(
        page((other, 700, 500), ("证书编号", 100, 900), (CODE, 220, 900)), [DIPLOMA], LABELS
    )
    assert [c.code for c in found.places[:2]] == [CODE, other]
    assert found.places[1].label is None


def test_another_fields_number_is_alien() -> None:
    found = find_codes(
        page(("身份证号510101199001011234", 100, 300)), [DIPLOMA], LABELS, ("身份证号",)
    )
    assert all(c.alien or c.score < 2.5 for c in found.places)


def test_the_right_check_character_tells_the_code_from_a_serial_number() -> None:
    found = find_codes(
        page(("编号 13000000201511260034", 200, 100), ("91110000600037341L", 900, 200)),
        [CREDIT],
        ("统一社会信用代码", "编号"),
    )
    assert found.places[0].code == "91110000600037341L"
    assert found.places[0].checked is True


def test_lookalikes_are_put_right_but_not_called_exact() -> None:
    found = find_codes(page(("证书编号:1O613120250500493l", 100, 900)), [DIPLOMA], LABELS)
    assert found.places[0].code == CODE
    assert not found.places[0].exact


def test_a_bare_label_is_a_spot() -> None:
    found = find_codes(
        page(("证书编号：", 100, 900), ("二〇二五年六月", 900, 800)), [DIPLOMA], LABELS
    )
    assert found.places == ()
    assert [spot.label for spot in found.spots] == ["证书编号"]
    (x0, y0), (x1, _), (_, y2), _ = found.spots[0].strips[0].quad
    assert x0 * WIDTH < 260 < 500 < x1 * WIDTH
    assert y0 * HEIGHT < 900 < y2 * HEIGHT


@pytest.mark.parametrize("lines", [[], [("毕业证书", 600, 100)], [("2025年6月20日", 900, 800)]])
def test_a_page_without_a_code_has_none(lines: list[tuple[str, float, float]]) -> None:
    found = find_codes(page(*lines), [DIPLOMA], LABELS)
    assert all(c.score < 2.5 for c in found.places)
    assert found.spots == ()


def test_another_field_s_label_is_no_label_misread() -> None:
    """发票号码 differs from 发票代码 by one character, and is not taken for it."""
    eight = CodeGrammar(name="eight", segments=(Segment(length=8),))
    shown = page(("发票号码:24112000000687797009", 100, 100))
    known = find_codes(shown, [eight], ("发票代码",), ("发票号码",))
    misread = find_codes(shown, [eight], ("发票代码",))
    assert {place.label for place in misread.places} == {"发票代码"}
    assert "发票代码" not in {place.label for place in known.places}

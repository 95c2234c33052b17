"""Boxes on a page: skew, rows, columns, and text that remembers its place."""

from __future__ import annotations

import pytest

from ocr_moe.reading.layout import PageLayout, join_strings, span_box
from ocr_moe.testing import page
from ocr_moe.types import Line, PageText
from ocr_moe.values.hanzi import folding, simplified

FORM = """
名|@0.3 称|@0.4 禹城勤农农业机械有限公司|@0.7 注册资本|@0.85 壹佰万元
类|@0.3 型|@0.4 有限责任公司|@0.7 成立日期|@0.85 2016年
住|@0.3 所|@0.4 山东省德州市禹城市市中街道|@0.7 营业期限|@0.85 长期
"""


@pytest.mark.parametrize("turned", [-4.0, -1.0, 0.0, 2.5, 4.0])
def test_rows_follow_the_slant_of_the_page(turned: float) -> None:
    rows = [[piece.text for piece in row] for row in PageLayout(page(FORM, turned=turned)).rows]
    assert rows == [
        ["名", "称", "禹城勤农农业机械有限公司", "注册资本", "壹佰万元"],
        ["类", "型", "有限责任公司", "成立日期", "2016年"],
        ["住", "所", "山东省德州市禹城市市中街道", "营业期限", "长期"],
    ]


def test_a_form_is_not_torn_into_columns_and_a_spread_is() -> None:
    lined = PageLayout(page(FORM)).lined().text
    assert lined.startswith("名\t称\t禹城勤农农业机械有限公司\t注册资本\t壹佰万元\n类")
    left = "根据《中华人民共和国学位条例》的规定"
    right = "The holder has satisfied the rules"
    spread = "\n".join(f"{left}{number}|@0.55 {right} {number}" for number in range(1, 6))
    text = PageLayout(page(spread, type_size=0.02)).running().text
    assert text.index(f"{left}5") < text.index(f"{right} 1")


def test_running_text_joins_words_with_spaces_and_chinese_without() -> None:
    layout = PageLayout(page("学 生|张三\nborn in|London\n2019|年"))
    assert layout.running().text == "学生张三born in London 2019年"
    assert layout.lined().text == "学生\t张三\nborn in\tLondon\n2019\t年"


def test_doubtful_lines_are_left_out_of_the_running_text() -> None:
    text = page("准予毕业")
    scrawl = Line(
        text="乂夕", confidence=0.3, quad=((0.5, 0.1), (0.6, 0.1), (0.6, 0.13), (0.5, 0.13))
    )
    layout = PageLayout(text.model_copy(update={"lines": (*text.lines, scrawl)}))
    assert layout.running().text == "准予毕业"
    assert "乂夕" in layout.lined().text


def test_every_character_leads_back_to_its_line() -> None:
    text = page("证书编号：１２３|张三")
    running = PageLayout(text).running()
    start = running.text.index("123")
    evidence = PageLayout(text).evidence(running.glyphs(start, start + 3))
    assert evidence is not None
    assert evidence.text == "１２３"
    assert evidence.box[0] > text.lines[0].box[0]
    assert evidence.box[2] == pytest.approx(text.lines[0].box[2])


def test_letters_in_a_tall_box_stand_one_under_the_other() -> None:
    tall = Line(
        text="名类住", confidence=0.9, quad=((0.1, 0.2), (0.13, 0.2), (0.13, 0.32), (0.1, 0.32))
    )
    text = PageText(engine="t", width=1000, height=1000, rotation=0, lines=(tall,))
    assert [[p.text for p in row] for row in PageLayout(text).rows] == [["名"], ["类"], ["住"]]
    assert span_box(tall, 1, 2) == pytest.approx((0.1, 0.24, 0.13, 0.28))


def test_ornaments_read_as_tall_latin_are_no_text() -> None:
    frame = Line(
        text="eeeeeeee", confidence=0.9, quad=((0.1, 0.2), (0.11, 0.2), (0.11, 0.8), (0.1, 0.8))
    )
    text = PageText(engine="t", width=1000, height=1000, rotation=0, lines=(frame,))
    assert PageLayout(text).rows == ()


def test_the_box_of_a_part_of_a_line_counts_wide_characters_twice() -> None:
    line = Line(text="ab中文", confidence=1.0, quad=((0, 0), (0.31, 0), (0.31, 0.1), (0, 0.1)))
    assert span_box(line, 2, 4) == pytest.approx((0.11, 0, 0.31, 0.1))
    assert span_box(line, 0, 4) == pytest.approx((0, 0, 0.31, 0.1))


def test_an_empty_page() -> None:
    empty = PageLayout(PageText(engine="t", width=10, height=10, rotation=0, lines=()))
    assert empty.rows == ()
    assert empty.running().text == ""
    assert empty.evidence(()) is None
    assert empty.confidence(()) == 0.0


def test_joining_parts_of_a_broken_text() -> None:
    assert join_strings(["山东省", "德州市"]) == "山东省德州市"
    assert join_strings(["JALAN SETIA", "40170 SHAH ALAM"]) == "JALAN SETIA 40170 SHAH ALAM"
    assert join_strings(["A-", "12"]) == "A-12"


def test_traditional_characters_are_folded_on_simplified_pages_only() -> None:
    fold = folding(["学生张三在本校英语專業学习", "准予毕业"])
    assert "".join(map(fold, "專業")) == "专业"
    kept = folding(["茲證明學生張三在本校英語專業畢業"])
    assert "".join(map(kept, "專業")) == "專業"


def test_japanese_pages_are_not_folded() -> None:
    fold = folding(["本学工学部土木工学科の課程を修めて本学を卒業した", "ことを証する"])
    assert "".join(map(fold, "証書")) == "証書"


def test_what_is_searched_as_one_character_is_written_as_another() -> None:
    layout = PageLayout(page("學位證書|國立大學\n姓名 王小明"), search=simplified)
    running = layout.running()
    assert running.text.startswith("学位证书国立大学")
    at = running.text.index("国立")
    assert running.printed(at, at + 4) == "國立大學"
    assert "".join(glyph.print for glyph in running.glyphs(0, 4)) == "學位證書"
    evidence = layout.evidence(running.glyphs(at, at + 4))
    assert evidence is not None
    assert evidence.text == "國立大學"


def test_characters_in_use_are_not_folded() -> None:
    assert simplified("乾") == "乾"
    assert simplified("學") == "学"
    assert simplified("A") == "A"

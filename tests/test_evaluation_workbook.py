"""accuracy.xlsx, read back with another library than the one that writes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.cell.rich_text import CellRichText, TextBlock

from ocr_moe.evaluation.evaluate import EvaluationOptions, evaluate
from ocr_moe.evaluation.report.measures import CELLS, COSTS, OVERALL, REVIEW, Measure, in_workbook
from ocr_moe.formats.phrases import Language
from ocr_moe.types import Origin, Status
from tests.evaluationkit import RUNS, decision, material, record, truth_file


def written(folder: Path, language: Language) -> openpyxl.Workbook:
    options = EvaluationOptions(
        titles={"moe": "MOE"},
        origins={"ocr_page_llm": Origin(recorded=("Qwen",))},
        skipped={"vision_all": "set OCR_MOE_VISION_BASE_URL"},
        language=language,
        original_of=lambda path: f"file:///scans/{path}" if path != "4.jpg" else "",
    )
    evaluate(material(truth_file(folder)), folder, options=options)
    return openpyxl.load_workbook(folder / "accuracy.xlsx", rich_text=True)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> openpyxl.Workbook:
    return written(tmp_path_factory.mktemp("accuracy"), "en")


@pytest.fixture(scope="module")
def chinese(tmp_path_factory: pytest.TempPathFactory) -> openpyxl.Workbook:
    return written(tmp_path_factory.mktemp("accuracy-zh"), "zh")


def rows(book: openpyxl.Workbook, sheet: str) -> list[dict[str, Any]]:
    heading, *body = book[sheet].iter_rows(values_only=True)
    return [dict(zip(heading, row, strict=True)) for row in body]


def test_the_summary_says_what_is_not_counted_and_then_what_a_person_asks(
    book: openpyxl.Workbook,
) -> None:
    heads = [cell.value for cell in book["summary"][1]]
    assert heads == [
        *("strategy", "field", "accuracy", "low", "high", "right", "n"),
        *("coverage", "silent errors", "cells to check"),
    ]
    body = rows(book, "summary")
    assert [row["strategy"] for row in body[:3]] == [
        "1 of 5 documents (20\u202f%) has no verified row and is not counted (5.jpg).",
        "1 of 5 verified rows (20\u202f%) is about no document of the run and is not counted (9.jpg).",
        "1 document could not be read; its verified cells count as failed.",
    ]
    # The best strategy first, and of each first what it comes to.
    assert [(row["strategy"], row["field"]) for row in body[3:7]] == [
        ("ocr_page_llm", "all cells"),
        ("ocr_page_llm", "mean of the fields (macro)"),
        ("ocr_page_llm", "perfect documents"),
        ("ocr_page_llm", "姓名"),
    ]
    found = {(row["strategy"], row["field"]): row for row in body}
    number = found["MOE", "证书编号"]
    assert (number["accuracy"], number["right"], number["n"]) == (0.5, 2, 4)
    assert number["low"] < 0.5 < number["high"]
    # One of two that are not right was accepted; the other's file could not be read.
    assert (number["silent errors"], number["cells to check"], number["coverage"]) == (1, 1, 0.75)
    everything = found["MOE", "all cells"]
    assert (everything["silent errors"], everything["cells to check"]) == (1, 4)
    assert found["MOE", "perfect documents"]["silent errors"] is None
    told = {row["field"] for row in body} | {row["strategy"] for row in body}
    assert "recorded answers of Qwen" in told
    assert "not run: vision_all. set OCR_MOE_VISION_BASE_URL" in told
    assert (
        "To hand over a sheet that is 99\u202f% right, check 5 of 11 cells: the ones it is least "
        "sure of." in told
    )


def test_strategies_stand_beside_the_verified_value(book: openpyxl.Workbook) -> None:
    sheet = book["side by side"]
    heading = [cell.value for cell in sheet[1]]

    start = heading.index("证书编号")
    assert heading[start : start + 3] == ["证书编号", "ocr_page_llm策略证书编号", "MOE策略证书编号"]
    by_name = {row[0].value: row for row in sheet.iter_rows(min_row=2)}
    verified, _, moe = by_name["1.jpg"][start : start + 3]
    assert (verified.value, verified.number_format) == ("106131201905004931", "@")
    assert isinstance(moe.value, CellRichText)
    assert str(moe.value) == "106131201905004981"
    [mark] = [part for part in moe.value if isinstance(part, TextBlock) and part.font.b]
    assert (mark.text, mark.font.color.rgb) == ("8", "FFC00000")


def test_the_worst_documents_come_first(book: openpyxl.Workbook) -> None:
    found = rows(book, "side by side")
    counts = [row["cells not right"] for row in found]
    assert counts == sorted(counts, reverse=True)
    assert found[0]["document"] == "3.jpg"


def test_what_is_not_right_is_listed_cell_by_cell(book: openpyxl.Workbook) -> None:
    found = [
        (row["document"], row["field"], row["strategy"], row["kind of mistake"])
        for row in rows(book, "mistakes")
    ]
    moe = [(document, field, kind) for document, field, title, kind in found if title == "MOE"]
    assert moe == [
        ("1.jpg", "证书编号", "substituted character"),
        ("4.jpg", "姓名", "unreadable"),
        ("4.jpg", "毕业日期", "unreadable"),
        ("4.jpg", "证书编号", "unreadable"),
        ("2.jpg", "毕业日期", "invented"),
    ]
    assert [title for _, _, title, _ in found] == ["ocr_page_llm"] * 5 + ["MOE"] * 5
    silent = [row["document"] for row in rows(book, "mistakes") if row["silent error"] == "yes"]
    assert silent == ["4.jpg", "2.jpg", "1.jpg"]


def test_a_document_is_linked_to_its_file_where_that_is_known(book: openpyxl.Workbook) -> None:
    for sheet in ("mistakes", "side by side"):
        for [cell] in book[sheet].iter_rows(min_row=2, max_col=1):
            known = cell.value != "4.jpg"
            assert (cell.hyperlink is not None) == known, cell.value
            if known:
                assert cell.hyperlink.target.lower() == f"file:///scans/{cell.value}"


def test_the_characters_that_differ_are_marked_on_both_sides(book: openpyxl.Workbook) -> None:
    [row] = [
        x for x in book["mistakes"].iter_rows() if (x[0].value, x[4].value) == ("1.jpg", "MOE")
    ]
    for cell, marked in ((row[2], "3"), (row[3], "8")):
        assert isinstance(cell.value, CellRichText)
        [mark] = [part for part in cell.value if isinstance(part, TextBlock) and part.font.b]
        assert mark.text == marked


def test_pairs_strategies_and_problems(book: openpyxl.Workbook) -> None:
    pair = {row["what"]: row for row in rows(book, "pairs")}
    assert pair["证书编号"]["only A right"] == 2
    macro = pair["mean of the fields (macro)"]
    assert macro["low"] <= macro["A - B"] <= macro["high"]
    strategies = {row["strategy"]: row for row in rows(book, "strategies")}
    assert strategies["ocr_page_llm"]["prompt tokens"] == 4000
    assert strategies["MOE"]["saved against ocr_page_llm"] == 1
    assert (strategies["MOE"]["checks to the target"], strategies["MOE"]["of cells"]) == (5, 11)
    told = {row["what"] for row in rows(book, "problems")}
    assert "row without a document: 9.jpg" in told
    assert "document without a verified row: 5.jpg" in told
    assert any(what.startswith("only 4 verified documents") for what in told)


def test_one_strategy_has_no_pairs(tmp_path: Path) -> None:
    evaluate(material(truth_file(tmp_path), {"moe": RUNS["moe"]}), tmp_path)
    assert "pairs" not in openpyxl.load_workbook(tmp_path / "accuracy.xlsx").sheetnames


def test_the_figures_of_every_field_and_strategy(book: openpyxl.Workbook) -> None:
    found = {(row["strategy"], row["field"]): row for row in rows(book, "fields")}
    assert found["MOE", "all cells"]["n"] == 11
    assert found["MOE", "all cells"]["coverage"] == pytest.approx(7 / 11)
    assert found["MOE", "毕业日期"]["invented"] == 1
    assert found["MOE", "姓名"]["confidence"] == "too few errors to tell"


def test_every_figure_has_its_column(book: openpyxl.Workbook) -> None:
    sheets: dict[str, Sequence[Measure[Any]]] = {
        "fields": CELLS,
        "strategies": [*REVIEW, *COSTS],
    }
    for sheet, measures in sheets.items():
        headings = [cell.value for cell in book[sheet][1]]
        assert {each.heading_in("en") for each in in_workbook(measures)} <= set(headings)
    assert {overall.heading_in("en") for overall in OVERALL} <= {
        row["field"] for row in rows(book, "summary")
    }


def test_every_heading_has_the_other_language_in_its_note(
    book: openpyxl.Workbook, chinese: openpyxl.Workbook
) -> None:
    for written_in, told_in in ((book, chinese), (chinese, book)):
        for sheet, other in zip(written_in, told_in, strict=True):
            for cell, counterpart in zip(sheet[1], other[1], strict=True):
                if cell.comment is None:  # a field's own name, and a strategy's column beside it
                    assert cell.value == counterpart.value
                    assert re.fullmatch("(.+策略)?(姓名|毕业日期|证书编号)", str(cell.value))
                else:
                    assert cell.comment.text == counterpart.value


def test_a_chinese_workbook_has_no_english_left(chinese: openpyxl.Workbook) -> None:
    assert chinese.sheetnames == [
        *("汇总", "错误清单", "逐份对照", "数据说明", "各策略", "字段统计", "策略两两对比"),
    ]
    ours = re.compile(r"[A-Za-z]{3,}")
    named = re.compile(
        r"\d\.jpg|MOE|ocr_page_llm|vision_all|Qwen|OCR_MOE_VISION_BASE_URL|LLM|token|McNemar|Holm"
        r"|AUROC|ECE|Brier|macro"
    )
    for sheet in chinese:
        for row in sheet.iter_rows():
            for cell in row:
                left = named.sub("", str(cell.value or ""))
                assert not ours.search(left), (sheet.title, cell.coordinate, cell.value)


def test_it_prints_in_landscape_as_wide_as_the_page_under_repeated_headings(
    book: openpyxl.Workbook,
) -> None:
    for sheet in book:
        assert sheet.page_setup.orientation == "landscape"
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert (sheet.page_setup.fitToWidth or 1, sheet.page_setup.fitToHeight) == (1, 0)
        assert sheet.print_title_rows == "$1:$1"
    assert book["summary"].freeze_panes == "C2"


def test_values_cannot_become_formulas(tmp_path: Path) -> None:
    hostile = '=HYPERLINK("http://evil","x")'
    runs = {
        "=evil()": [
            record("1.jpg", {"姓名": decision(hostile, status=Status.ACCEPTED)}),
            record("2.jpg", {"姓名": decision("+1")}),
        ]
    }

    evaluate(material(truth_file(tmp_path), runs), tmp_path)

    workbook = openpyxl.load_workbook(tmp_path / "accuracy.xlsx")
    kinds = {cell.data_type for sheet in workbook for row in sheet.iter_rows() for cell in row}
    assert kinds <= {"s", "n"}
    values = [cell.value for row in workbook["side by side"].iter_rows() for cell in row]
    assert hostile in values


def test_the_same_evaluation_is_the_same_bytes(tmp_path: Path) -> None:
    truth = truth_file(tmp_path)
    for name in ("one", "two"):
        evaluate(material(truth), tmp_path / name)

    for file in ("scores.json", "accuracy.xlsx", "report.html"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()

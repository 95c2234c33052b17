"""accuracy.xlsx, read back with another library than the one that writes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.cell.rich_text import CellRichText, TextBlock

from ocr_moe.evaluation.evaluate import EvaluationOptions, evaluate
from ocr_moe.evaluation.report.measures import CELLS, COSTS, OVERALL, REVIEW, Measure, in_workbook
from ocr_moe.types import Origin, Status
from tests.evaluationkit import decision, material, record, truth_file


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> openpyxl.Workbook:
    folder = tmp_path_factory.mktemp("accuracy")
    options = EvaluationOptions(
        titles={"moe": "MOE"},
        origins={"ocr_page_llm": Origin(recorded=("Qwen",))},
        skipped={"vision_all": "set OCR_MOE_VISION_BASE_URL"},
    )
    evaluate(material(truth_file(folder)), folder, options=options)
    return openpyxl.load_workbook(folder / "accuracy.xlsx", rich_text=True)


def rows(book: openpyxl.Workbook, sheet: str) -> list[dict[str, Any]]:
    heading, *body = book[sheet].iter_rows(values_only=True)
    return [dict(zip(heading, row, strict=True)) for row in body]


def test_the_summary_has_a_row_a_field_and_columns_a_strategy(book: openpyxl.Workbook) -> None:
    found = {row["field"]: row for row in rows(book, "summary")}

    assert found["证书编号"]["MOE accuracy"] == pytest.approx(0.5)
    assert found["证书编号"]["MOE n"] == 4
    assert found["证书编号"]["MOE low"] < 0.5 < found["证书编号"]["MOE high"]
    assert found["毕业日期"]["ocr_page_llm accuracy"] == 1
    assert "mean of the fields (macro)" in found
    assert "perfect documents" in found
    assert "ocr_page_llm: recorded answers of Qwen" in found
    assert "skipped vision_all: set OCR_MOE_VISION_BASE_URL" in found


def test_strategies_stand_beside_the_verified_value(book: openpyxl.Workbook) -> None:
    sheet = book["side by side"]
    heading = [cell.value for cell in sheet[1]]

    start = heading.index("证书编号")
    assert heading[start : start + 3] == ["证书编号", "MOE策略证书编号", "ocr_page_llm策略证书编号"]
    by_name = {row[0].value: row for row in sheet.iter_rows(min_row=2)}
    verified, moe, _ = by_name["1.jpg"][start : start + 3]
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
    found = [(row["document"], row["field"], row["outcome"]) for row in rows(book, "not right")]
    assert sorted(found) == [
        ("1.jpg", "姓名", "missing"),
        ("2.jpg", "证书编号", "wrong"),
        ("3.jpg", "姓名", "failed"),
        ("3.jpg", "证书编号", "failed"),
        ("4.jpg", "证书编号", "wrong"),
    ]


def test_pairs_costs_mistakes_and_problems(book: openpyxl.Workbook) -> None:
    pair = {row["what"]: row for row in rows(book, "pairs")}
    assert pair["证书编号"]["only A right"] == 2
    assert pair["macro accuracy"]["low"] <= pair["macro accuracy"]["A - B"]
    costs = {row["strategy"]: row for row in rows(book, "costs")}
    assert costs["ocr_page_llm"]["prompt tokens"] == 4000
    assert costs["moe"]["saved against ocr_page_llm"] == 1
    mistakes = {(row["strategy"], row["field"]): row for row in rows(book, "mistakes")}
    assert mistakes["ocr_page_llm", "证书编号"]["zero run"] == 1
    told = {(row["kind"], row["what"]) for row in rows(book, "problems")}
    assert ("row without a document", "9.jpg") in told
    assert ("document without truth", "5.jpg") in told
    characters = rows(book, "confused characters")
    assert ("moe", "3", "8", 1) in {tuple(row.values()) for row in characters}


def test_the_figures_of_every_field_and_strategy(book: openpyxl.Workbook) -> None:
    found = {(row["strategy"], row["field"]): row for row in rows(book, "fields")}
    assert found["moe", "all cells"]["n"] == 11
    assert found["moe", "all cells"]["coverage"] == pytest.approx(7 / 11)
    assert found["moe", "毕业日期"]["invented"] == 1
    review = {row["strategy"]: row for row in rows(book, "review")}
    assert (review["moe"]["cells to check"], review["moe"]["of cells"]) == (5, 11)


def test_every_figure_has_its_column(book: openpyxl.Workbook) -> None:
    sheets: dict[str, Sequence[Measure[Any]]] = {"fields": CELLS, "review": REVIEW, "costs": COSTS}
    for sheet, measures in sheets.items():
        headings = [cell.value for cell in book[sheet][1]]
        assert {measure.heading for measure in in_workbook(measures)} <= set(headings)
    assert {overall.heading for overall in OVERALL} <= {
        row["field"] for row in rows(book, "summary")
    }


def test_every_heading_has_the_chinese_one_in_its_note(book: openpyxl.Workbook) -> None:
    notes = {
        (sheet.title, cell.value): cell.comment.text if cell.comment else None
        for sheet in book
        for cell in sheet[1]
    }
    assert notes["summary", "MOE accuracy"] == "MOE 准确率"
    assert notes["costs", "money a document"] == "每份文档费用"
    assert notes["review", "cells to check"] == "需复核"
    without = {heading for (_, heading), note in notes.items() if not note}
    values = {"姓名", "毕业日期", "证书编号"}
    strategies = ("MOE", "ocr_page_llm")
    beside = {f"{name}策略{value}" for name in strategies for value in values}
    assert without == values | beside | {"ocr_page_llm"}


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

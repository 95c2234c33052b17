"""From records and a sheet to the files of an evaluation; and two columns of one sheet."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from ocr_moe.errors import TruthError, UsageError
from ocr_moe.evaluation.evaluate import EvaluationOptions, evaluate, score_columns
from ocr_moe.evaluation.summary import SummaryOptions
from ocr_moe.formats.notes import note_in
from ocr_moe.schema import Field, Kind
from ocr_moe.workshop.config import find_schema, shipped_schemas
from tests.evaluationkit import material, truth_file

QUICK = EvaluationOptions(summary=SummaryOptions(repeats=100))


def test_scores_json_keeps_its_keys(tmp_path: Path) -> None:
    options = EvaluationOptions(skipped={"vision_all": "set X"}, summary=QUICK.summary)

    evaluate(material(truth_file(tmp_path)), tmp_path / "out", options=options)

    data = json.loads((tmp_path / "out" / "scores.json").read_text("utf-8"))
    assert {"strategies", "pairs", "skipped"} <= set(data)
    assert data["skipped"] == {"vision_all": "set X"}
    strategy = data["strategies"]["moe"]
    assert {"n_documents", "perfect", "macro", "fields"} <= set(strategy)
    field = strategy["fields"]["证书编号"]
    assert {
        *("n", "right", "accuracy", "interval", "missing", "invented", "failed"),
        *("coverage", "selective_accuracy", "precision", "recall", "f1"),
    } <= set(field)
    assert (field["n"], field["right"], field["accuracy"], len(field["interval"])) == (4, 2, 0.5, 2)
    names = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert names == ["accuracy.xlsx", "report.html", "scores.json"]


def test_nothing_is_written_without_a_folder(tmp_path: Path) -> None:
    truth = truth_file(tmp_path)
    scores = evaluate(material(truth), None, options=QUICK)
    assert scores.n_documents == 4
    assert list(tmp_path.iterdir()) == [truth]


def test_no_records(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no records"):
        evaluate(material(truth_file(tmp_path), {"moe": []}), None)


@pytest.fixture
def columns(tmp_path: Path) -> Path:
    rows = [
        ("核对表", None, None, None),
        ("证书编号", "备注", "GLM证书编号", "文件名"),
        ("106131201905004931", "", "106131201905004931", "1.jpg"),
        ("106131201905000007", "", "1061312019050007", "2.jpg"),
        ("106131201905000123", "", None, "3.jpg"),
        (None, "", "106131201905000124", "4.jpg"),
        ("106131201905000456", "", 1.06131201905e17, "5.jpg"),
        ("无", "", "106131201905000457", "6.jpg"),
    ]
    return truth_file(tmp_path, rows[1:], [str(cell or "") for cell in rows[0]])


@pytest.mark.parametrize(
    ("left", "right"), [("证书编号", "GLM证书编号"), ("A", "C"), ("a", "GLM证书编号")]
)
def test_two_columns_by_heading_or_letter(columns: Path, left: str, right: str) -> None:
    out = columns.parent / "out"

    scores = score_columns(columns, left, right, out, options=QUICK)

    field = scores.strategies["GLM证书编号"].fields["证书编号"]
    # 4.jpg is unverified; the prediction of 5.jpg was damaged by the spreadsheet.
    assert (field.n, field.right, field.wrong, field.missing, field.invented) == (4, 1, 1, 1, 1)
    assert field.mistakes == {"zero_run": 1, "missing": 1, "invented": 1}
    assert (scores.unverified_cells, scores.unscorable_cells) == (1, 1)
    assert any(problem.kind == "lost_digits" for problem in scores.problems)
    assert (out / "report.html").exists()


def test_two_columns_compared_as_the_field_says(tmp_path: Path) -> None:
    truth = truth_file(tmp_path, [("大学本科", "本科")], ("truth", "read"))
    degree = Field(name="学历", kind=Kind.ENUM, values={"本科": ("大学本科",), "专科": ()})

    as_text = score_columns(truth, "truth", "read", None, options=QUICK)
    as_degree = score_columns(truth, "A", "B", None, field=degree, options=QUICK)

    assert as_text.strategies["read"].cells.right == 0
    assert as_degree.strategies["read"].fields["学历"].right == 1


def test_two_columns_of_dates_in_different_forms(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    worksheet = workbook.worksheets[0]
    for row in (
        ["核对", None, None],
        ["人工日期", "识别日期", "序列"],
        [dt.date(2011, 12, 22), "2011年12月22日", 40899],
        ["2005.06.18", "二〇〇五年六月十八日", 38521],
        ["民国96年12月31日", "2007-12-30", 39447],
    ):
        worksheet.append(row)
    workbook.save(tmp_path / "t.xlsx")

    for predicted, right in (("识别日期", 2), ("C", 3)):
        scores = score_columns(tmp_path / "t.xlsx", "人工日期", predicted, None, options=QUICK)
        [of] = scores.strategies.values()
        assert (of.fields["人工日期"].n, of.fields["人工日期"].right) == (3, right)


FIELDS = [field for name in shipped_schemas() for field in find_schema(name).fields]


@pytest.mark.parametrize(
    ("headings", "rows", "kind", "right"),
    [
        # Dates of which most readings are none: the heading says what they should be.
        (
            ("毕业日期", "识别毕业日期"),
            [(dt.date(2019, 6, 20), "2019年6月20日"), ("2019-06-21", "看不清"), ("2020-07", "8")],
            "date",
            1,
        ),
        (
            ("人工注册资本", "预测"),
            [("100万元", "人民币壹佰万元整"), ("50万元", "5万元")],
            "money",
            1,
        ),
        (("性别", "MOE性别"), [("男", "male"), ("女性", "女"), ("女", "男")], "enum", 2),
        (("truth", "predicted graduation_date"), [("2019.6.20", "2019-06-20")], "date", 1),
        (
            ("证书编号（人工）", "读数"),
            [("106131202505004931", "1061 3120 2505 004931")],
            "code",
            1,
        ),
        # Numbers of another kind than the schema's certificates: codes all the same.
        (("学生编号", "预测"), [("20191234", "20191234"), ("20191235", "20191236")], "code", 1),
        # A heading that does not keep its word: by the values.
        (("毕业日期", "读数"), [("春天", "春天"), ("夏天", "秋天")], "text", 1),
        (("备注", "读数"), [("2019-06-20", "2019年6月20日")], "date", 1),
    ],
)
def test_two_columns_are_compared_by_the_field_that_a_heading_names(
    tmp_path: Path, headings: Sequence[str], rows: Sequence[Sequence[Any]], kind: str, right: int
) -> None:
    book = openpyxl.Workbook()
    page = book.worksheets[0]
    for row in (headings, *rows):
        page.append(list(row))
    book.save(tmp_path / "t.xlsx")
    left, predicted = headings
    path = tmp_path / "t.xlsx"
    scores = score_columns(path, left, predicted, None, fields=FIELDS, options=QUICK)
    [of] = scores.strategies.values()
    assert (of.cells.n, of.cells.right) == (len(rows), right)
    [told] = [problem for problem in scores.problems if problem.kind == "compared_as"]
    assert told.message.startswith(f"compared as {kind}, ")
    assert note_in(told.message, "zh").startswith("按")


def test_a_column_that_is_not_there_is_told_with_those_that_are(columns: Path) -> None:
    with pytest.raises(TruthError, match="核对表"):
        score_columns(columns, "编号", "Z", None)


def test_a_csv_works_too(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text("真值,预测\n张三,张三\n李四,李五\n", encoding="gb18030")

    scores = score_columns(path, "真值", "预测", None, options=QUICK)

    assert scores.strategies["预测"].cells.right == 1


def test_a_sheet_in_which_every_prediction_is_lost(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.append(["a", "b"])
    sheet.append(["106131201905000456", 1.06131201905e17])
    workbook.save(tmp_path / "t.xlsx")

    with pytest.raises(TruthError, match="usable value in both"):
        score_columns(tmp_path / "t.xlsx", "a", "b", None)

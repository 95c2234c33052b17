"""What people are told: first what is not counted, last what to check, and each thing once."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import openpyxl
import pytest
from PIL import Image

from ocr_moe.api import Options, Run, calibrate, evaluate, extract
from ocr_moe.cli.session import closing, summary
from ocr_moe.errors import StoreError
from ocr_moe.evaluation.report.measures import LEFT_OUT, alarms, left_out
from ocr_moe.evaluation.report.phrases import text
from ocr_moe.evaluation.scores import Scores
from ocr_moe.intake.sources import discover
from ocr_moe.run.batch import Batch
from ocr_moe.run.outcome import Notice, Outcome, ToCheck
from ocr_moe.schema import Schema
from ocr_moe.store.database import Store
from ocr_moe.testing import ScriptedEngine, page
from ocr_moe.workshop.build import Workshop
from ocr_moe.workshop.config import find_schema, load_config
from tests.conftest import Command, environment
from tests.test_store_migrations import FIRST, FURTHER, PAGES, scans, small_truth

SCHEMA = "graduation_certificate"


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCR_MOE_LANGUAGE", "en")


@pytest.mark.parametrize(
    ("check", "english", "chinese"),
    [
        (ToCheck(0, 0, 0, 0), "No cell to check", "没有需要核对的单元格"),
        (
            ToCheck(1, 1, 0, 0),
            "1 cell of 1 document to check",
            "有 1 份文档中的 1 个单元格需要核对",
        ),
        (
            ToCheck(37, 21, 0, 2),
            "37 cells of 21 documents to check; 2 documents failed: see the sheet failures of "
            "records.xlsx",
            "有 21 份文档中的 37 个单元格需要核对；2 份文档失败，见 records.xlsx 的工作表“失败”",
        ),
        (
            ToCheck(5, 2, 1, 1),
            "5 cells of 2 documents to check; 1 document, 1 cell failed: see the sheet failures of "
            "records.xlsx",
            "有 2 份文档中的 5 个单元格需要核对；1 份文档、1 个单元格失败，见 records.xlsx 的工作表"
            "“失败”",
        ),
    ],
)
def test_the_closing_line_says_what_to_check(
    monkeypatch: pytest.MonkeyPatch, check: ToCheck, english: str, chinese: str
) -> None:
    outcome = Outcome(documents=40, to_check=check)
    assert closing(outcome) == english
    monkeypatch.setenv("OCR_MOE_LANGUAGE", "zh")
    assert closing(outcome) == chinese


def test_a_comparison_has_no_cells_to_check_but_tells_of_failures() -> None:
    assert summary(Outcome(documents=8, failed=1, asked=1, blank=1, resumed=2)) == (
        "8 documents, 1 with failures, 1 blank page; 1 question asked, 2 files from an earlier start"
    )


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Three certificates with page OCR, a broken file, a blank one; and a sheet with gaps."""
    folder = tmp_path_factory.mktemp("told")
    files = scans(folder / "scans", *FIRST, FURTHER)
    (files / "坏.jpg").write_bytes(b"no image")
    sheet = small_truth(folder / "verified.xlsx", *FIRST)
    book = openpyxl.load_workbook(sheet)
    rows = book.active
    headings = [cell.value for cell in rows[1]]
    rows.delete_cols(headings.index("性别") + 1)
    headings.remove("性别")
    rows.cell(2, headings.index("证书编号") + 1).value = 106131201905000000
    rows.cell(4, headings.index("文件名") + 1).value = "没有.jpg"
    rows.cell(4, headings.index("姓名") + 1).value = "没有"
    book.save(sheet)
    return files, sheet


@pytest.fixture(scope="module")
def run(material: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of these, all page OCR given but that of the blank page."""
    files, _ = material
    Image.new("RGB", (600, 400), (250, 250, 246)).save(files / "空白.png")
    [blank] = [s for s in discover([str(files)]) if s.name == "空白.png"]
    white = {"engine": "e", "width": 600, "height": 400, "rotation": 0, "lines": [], "blank": True}
    line = json.dumps({"sha256": blank.digest(load_config().images), "page": 1, "text": white})
    pages = tmp_path_factory.mktemp("ocr") / "pages.jsonl"
    pages.write_text(PAGES.read_text(encoding="utf-8") + line + "\n", encoding="utf-8")
    out = tmp_path_factory.mktemp("run") / "out"
    extract(files, out=out, strategy="rules", options=Options(schema=SCHEMA, ocr=pages))
    return out


@pytest.fixture(scope="module")
def scores(run: Path, material: tuple[Path, Path]) -> Scores:
    return evaluate(run, material[1])


def test_what_is_left_out_is_counted(run: Path, scores: Scores) -> None:
    written = json.loads((run / "scores.json").read_text(encoding="utf-8"))
    assert written["left_out"] == {
        "documents_without_truth": 2,
        "rows_without_document": 1,
        "damaged_cells": 1,
        "columns_missing": ["性别"],
        "documents_failed": 1,
        "pages_blank": 1,
        "rows_unclear": 0,
        "rows_unchecked": 0,
    }
    assert written["matched"] == {
        "documents": 4,
        "rows": 3,
        "by_file_name": 2,
        "by_subject": 0,
        "by_name_read": 0,
        "by_code_read": 0,
    }
    counts = [omission.count(scores) for omission in LEFT_OUT]
    assert counts == [2, 1, 0, 0, 1, 1, 1, 1, 0, 0]


def test_nothing_is_told_where_everything_was_counted(scores: Scores) -> None:
    nothing = scores.left_out.model_copy(
        update={
            key: () if key == "columns_missing" else 0 for key in type(scores.left_out).model_fields
        }
    )
    assert left_out(scores.model_copy(update={"left_out": nothing})) == ()


def test_most_of_a_folder_unscored_is_an_alarm(scores: Scores) -> None:
    def told(documents: int, without: int, rows: int, lost: int) -> list[str]:
        """Alarms over so many documents without truth and rows without document."""
        changed = {"documents_without_truth": without, "rows_without_document": lost}
        such = scores.model_copy(
            update={
                "left_out": scores.left_out.model_copy(update=changed),
                "matched": scores.matched.model_copy(update={"documents": documents, "rows": rows}),
            }
        )
        sentences = alarms(such)
        assert left_out(such)[: len(sentences)] == sentences
        return [text([sentence], "en") for sentence in sentences]

    assert told(60, 29, 31, 0) == told(60, 0, 60, 29) == told(0, 0, 0, 0) == []
    [apart] = told(60, 30, 60, 30)
    assert apart.startswith(
        "Only 30 of 60 documents (50\u202f%) are scored; verified rows that found no document: 30."
    )
    [sample] = told(1000, 900, 100, 0)
    assert "(10\u202f%)" in sample
    assert "drawn by chance" in sample
    [unused] = told(60, 0, 121, 61)
    assert unused.startswith("Only 60 of 121 verified rows (50\u202f%)")


def test_the_workbook_begins_with_what_is_left_out(run: Path, scores: Scores) -> None:
    rows = openpyxl.load_workbook(run / "accuracy.xlsx")["summary"].iter_rows(values_only=True)
    first = [str(row[0]) for row in rows]
    assert first[0] == "strategy"
    sentences = left_out(scores)
    told = first[1 : 1 + len(sentences)]
    assert told[0].startswith(
        "Only 2 of 4 documents (50\u202f%) are scored; verified rows that found no document: 1."
    )
    assert told[1].startswith(
        f"2 of 4 documents (50\u202f%) have no verified row and are not counted (坏.jpg, {FURTHER})."
    )
    assert told[2] == (
        "1 of 3 verified rows (33\u202f%) is about no document of the run and is not counted "
        "(没有.jpg)."
    )
    assert told[4].startswith(
        "1 field has no column in the verified sheet and is not scored (性别)"
    )
    assert told[6].startswith("1 page is blank")
    assert first[1 + len(sentences)] == scores.strategies[scores.best].title


def test_many_names_are_cut(scores: Scores) -> None:
    names = tuple(f"{n}.jpg" for n in range(9))
    many = scores.model_copy(
        update={
            "documents_without_truth": names,
            "left_out": scores.left_out.model_copy(update={"documents_without_truth": len(names)}),
        }
    )
    sentence = LEFT_OUT[0].sentence(many)
    assert text([sentence], "en").endswith("(0.jpg, 1.jpg, 2.jpg … and 6 more).")
    assert text([sentence], "zh").endswith("（0.jpg、1.jpg、2.jpg 等）。")


@pytest.mark.slow
def test_the_terminal_tells_the_same_first(
    run: Path, material: tuple[Path, Path], scores: Scores, ocr_moe: Command, tmp_path: Path
) -> None:
    out = shutil.copytree(run, tmp_path / "out")
    done = ocr_moe("evaluate", out, "--truth", material[1])
    assert done.status == 0, done.err
    assert done.err == ""
    lines = done.out.splitlines()
    assert lines[: len(left_out(scores))] == [text([each], "en") for each in left_out(scores)]
    assert lines[len(left_out(scores))].endswith("see the sheet problems of accuracy.xlsx")
    chinese = ocr_moe(
        "evaluate",
        out,
        "--truth",
        material[1],
        env={"OCR_MOE_LANGUAGE": "", "LC_ALL": "zh_CN.UTF-8"},
    ).out
    assert chinese.splitlines()[: len(left_out(scores))] == [
        text([each], "zh") for each in left_out(scores)
    ]
    assert "准确率（%）[95% 区间]" in chinese
    assert "全部单元格" in chinese
    assert "accuracy of accepted" not in chinese


@pytest.mark.slow
def test_calibration_tells_how_far_it_is(
    run: Path, material: tuple[Path, Path], ocr_moe: Command, tmp_path: Path
) -> None:
    out = shutil.copytree(run, tmp_path / "out")
    (tmp_path / "rules.yaml").write_text("strategy: rules\n")
    done = ocr_moe("calibrate", out, "--truth", material[1], "--config", tmp_path / "rules.yaml")
    assert done.status == 0, done.err
    told = re.findall(r"Fitting confidences: step (\d) of (\d)", done.err)
    assert [int(n) for n, _ in told] == list(range(1, int(told[0][1]) + 1))


@pytest.mark.slow
def test_an_extract_names_each_file_once_and_ends_with_what_to_check(
    material: tuple[Path, Path], ocr_moe: Command, tmp_path: Path
) -> None:
    files = scans(tmp_path / "scans", *FIRST)
    for name in ("坏.jpg", "再坏.jpg"):
        shutil.copy(material[0] / "坏.jpg", files / name)
    (files / "坏.tif").write_bytes(b"II*\0\x08\0\0\0\xff\xff")
    command = ("extract", files, "--schema", SCHEMA, "--strategy", "rules", "--ocr", PAGES)
    done = ocr_moe(*command, "--out", tmp_path / "out")
    assert done.status == 1
    for name in ("坏.jpg", "再坏.jpg", "坏.tif"):
        [line] = [line for line in done.err.splitlines() if line.startswith(f"{name}: ")]
        assert line.count("坏") == 1
    assert "Loading" not in done.err
    book = openpyxl.load_workbook(tmp_path / "out" / "records.xlsx")
    headings, *rows = book["documents"].iter_rows(values_only=True)
    to_check = [
        str(row[headings.index("to check")] or "").split(", ")
        for row in rows
        if row[headings.index("to check")] not in ("", None, "whole document")
    ]
    cells = sum(map(len, to_check))
    parts = "No cell to check"
    if cells:
        ending, files_word = ("" if n == 1 else "s" for n in (cells, len(to_check)))
        parts = f"{cells} cell{ending} of {len(to_check)} document{files_word} to check"
    assert done.out.splitlines()[-1] == (
        f"{parts}; 3 documents failed: see the sheet failures of records.xlsx"
    )
    heads, *failures = book["failures"].iter_rows(values_only=True)
    told = [dict(zip(heads, row, strict=True)) for row in failures]
    unreadable = [str(row["message"]) for row in told if row["type"] == "UnreadableFileError"]
    assert [message.count("坏") for message in unreadable] == [1, 1, 1]


@pytest.mark.parametrize("command", ["evaluate", "calibrate", "export"])
def test_what_is_no_run_is_called_so(
    material: tuple[Path, Path], tmp_path: Path, command: str
) -> None:
    (tmp_path / "empty").mkdir()
    for folder, words in (
        (tmp_path / "empty", "empty is not a folder of a run, it has no store.sqlite"),
        (tmp_path / "nowhere", "nowhere is not there"),
    ):
        commands: dict[str, Callable[[], object]] = {
            "evaluate": partial(evaluate, folder, material[1]),
            "calibrate": partial(calibrate, folder, material[1]),
            "export": partial(Run(folder).export, tmp_path / "records.jsonl"),
        }
        with pytest.raises(StoreError, match=words):
            commands[command]()
        assert not (tmp_path / "records.jsonl").exists()


def one_schema() -> Schema:
    return find_schema(SCHEMA)


def test_loading_is_told_once_and_only_where_pages_are_read(tmp_path: Path) -> None:
    files = tmp_path / "scans"
    files.mkdir()
    for number in range(3):
        Image.new("RGB", (60, 40 + number), "black").save(files / f"{number}.png")
    told: list[Notice] = []
    for _ in range(2):
        workshop = Workshop(load_config())
        engine = ScriptedEngine(page("毕业证书"))
        workshop._built["engines", load_config().ocr] = engine
        with Batch(
            tmp_path / "out",
            workshop=workshop,
            strategies=[workshop.strategy("rules")],
            schemas=[one_schema()],
            notice=told.append,
        ) as batch:
            assert batch.execute(discover([str(files)])).documents == 3
    assert told == [Notice.LOADING]


def test_the_same_bytes_under_two_names_are_told_by_their_own_names(tmp_path: Path) -> None:
    files = tmp_path / "scans"
    files.mkdir()
    for name in ("a.tif", "b.tif"):
        (files / name).write_bytes(b"II*\0\x08\0\0\0\xff\xff")
    run = extract(files, out=tmp_path / "out", strategy="rules", options=Options(schema=SCHEMA))
    assert run.outcome is not None
    assert [failure[:7] for failure in run.outcome.failures] == ["a.tif: ", "b.tif: "]
    assert [failure.count(".tif") for failure in run.outcome.failures] == [1, 1]
    with Store(tmp_path / "out" / "store.sqlite", write=False) as store:
        for record in store.records("rules"):
            assert record.error is not None
            assert record.error.message.startswith(record.document.path)


def test_a_run_that_is_another_is_told_in_plain_words(tmp_path: Path) -> None:
    files = scans(tmp_path / "scans", *FIRST)
    options = Options(schema=SCHEMA, ocr=PAGES)
    extract(files, out=tmp_path / "out", strategy="rules", options=options)
    with pytest.raises(StoreError, match="it is of the strategy rules, this start is of moe"):
        extract(files, out=tmp_path / "out", strategy="moe", options=options)
    (tmp_path / "mine.yaml").write_text("experts: {rules: {kind: rules, minimum: 0.2}}\n")
    changed = replace(options, config=tmp_path / "mine.yaml")
    with pytest.raises(StoreError) as told:
        extract(files, out=tmp_path / "out", strategy="rules", options=changed)
    assert str(told.value) == (
        f"{tmp_path / 'out'} holds another run: changed settings: experts.rules.minimum (was not "
        "set, is 0.2). Name another --out"
    )


@pytest.mark.slow
def test_what_a_terminal_cannot_write_does_not_end_a_command(ocr_moe: Command) -> None:
    done = ocr_moe("schemas", env={"PYTHONIOENCODING": "latin-1"})
    assert (done.status, done.err) == (0, "")
    assert "\\u8bc1\\u4e66\\u7f16\\u53f7 (code" in done.out  # 证书编号


@pytest.mark.slow
def test_warnings_of_third_parties_stay_off_the_screen() -> None:
    code = (
        "import subprocess, sys, warnings\n"
        "from ocr_moe.cli import main\n"
        "def app():\n"
        "    warnings.warn('No ccache found')\n"
        "    subprocess.run([sys.executable, '-c', 'import warnings; warnings.warn(\"old\")'])\n"
        "main.app = app\n"
        "main.main()\n"
    )
    for flags, shown in (([], False), (["-W", "default"], True)):
        done = subprocess.run(
            [sys.executable, *flags, "-c", code],
            capture_output=True,
            text=True,
            env=environment(),
            check=True,
        )
        assert ("No ccache found" in done.stderr) is shown
        if not shown:
            assert done.stderr == ""

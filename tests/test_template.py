"""`ocr-moe template`: only what a person vouches for counts as verified."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import openpyxl
import pytest

from ocr_moe import api
from ocr_moe.api import Options, extract
from ocr_moe.errors import SchemaError, StoreError, TruthError, UsageError
from ocr_moe.evaluation.truth.problems import ProblemKind
from ocr_moe.evaluation.truth.sheet import CHECKED_HEADINGS, load_truth
from ocr_moe.exports.template import EMPTY_ROWS, write_prefilled
from ocr_moe.formats.phrases import LANGUAGES, Language
from ocr_moe.reviewing.queue import CellKey
from ocr_moe.reviewing.taking import taken_in
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.types import Decision, DocumentRef, Failure, Record, Status
from ocr_moe.workshop.config import Config, find_schema
from tests.conftest import Command
from tests.test_store_migrations import FIRST, PAGES, scans

SCHEMA = Schema(
    name="diploma",
    fields=(
        Field(name="姓名", kind=Kind.PERSON),
        Field(name="性别", kind=Kind.ENUM, values={"男": (), "女": ()}),
        Field(name="证书编号", kind=Kind.CODE, description="印在下方"),
        Field(name="专业"),
    ),
)
LICENCE = Schema(name="licence", fields=(Field(name="名称"), Field(name="住所")))
CODE = "106131202505004931"


def decision(value: str | None, status: Status, **more: object) -> Decision:
    return Decision.model_validate({"value": value, "status": status, **more})


def record(path: str, schema: str | None = "diploma", /, **fields: Decision) -> Record:
    return Record(
        document=DocumentRef(path=path, sha256=path),
        schema_name=schema,
        strategy="moe",
        fields=fields,
        error=None if fields else Failure(type="UnreadableFileError", message="truncated"),
    )


SURE = record(
    "a.jpg",
    姓名=decision("张三", Status.ACCEPTED, confidence=0.99),
    性别=decision("男", Status.ACCEPTED, confidence=0.99),
    证书编号=decision(CODE, Status.ABSTAINED, confidence=0.4),
    专业=decision(None, Status.ABSENT),
)
VERIFIED = record(
    "b.jpg",
    **{
        name: decision(value, Status.VERIFIED, reviewer="王丽", at="2026-01-02T03:04:05Z")
        for name, value in (("姓名", "李四"), ("性别", "女"), ("证书编号", CODE), ("专业", None))
    },
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_marked_rows_count_and_a_guess_never_does(tmp_path: Path, language: Language) -> None:
    path = tmp_path / "verified.xlsx"
    again = SURE.model_copy(update={"document": DocumentRef(path="c.jpg", sha256="c")})
    assert write_prefilled(path, [SURE, VERIFIED, again], [SCHEMA], language=language) == 3
    book = openpyxl.load_workbook(path)
    page = book["diploma"]
    headings = [cell.value for cell in page[1]]
    code, checked = (page.cell(2, headings.index(name) + 1) for name in ("证书编号", headings[-1]))
    assert code.value is None
    assert CODE in code.comment.text
    assert "0.400" in code.comment.text
    assert code.fill.fgColor.rgb != page.cell(2, headings.index("姓名") + 1).fill.fgColor.rgb

    # As it was written only what people verified at the desk counts.
    truth = load_truth(path, SCHEMA)
    assert [row.key for row in truth.rows] == ["b.jpg"]
    assert truth.unchecked == 2
    assert truth.rows[0].cells["专业"].value is None
    assert truth.problems[-1].kind is ProblemKind.UNCHECKED

    checked.value = "WL"
    book.save(path)
    truth = load_truth(path, SCHEMA)
    assert [row.key for row in truth.rows] == ["a.jpg", "b.jpg"]
    [cells, _] = [row.cells for row in truth.rows]
    assert {name: cell.value for name, cell in cells.items()} == {
        "姓名": "张三",
        "性别": "男",
        "专业": None,
    }
    assert truth.blank == 1  # the guess is no truth


def test_documents_of_several_kinds_and_of_none(tmp_path: Path) -> None:
    path = tmp_path / "verified.xlsx"
    licence = record("l.jpg", "licence", 名称=decision("公司", Status.ACCEPTED))
    blank = record("w.jpg").model_copy(update={"blank": True, "error": None})
    records = [SURE, licence, record("坏.jpg", None), blank]
    assert write_prefilled(path, records, [SCHEMA, LICENCE]) == 2
    book = openpyxl.load_workbook(path)
    assert book.sheetnames[:2] == ["diploma", "licence"]
    assert [row[0].value for row in book["licence"].iter_rows(min_row=2)] == ["l.jpg"]
    left = list(book["other pages"].iter_rows(min_row=2, values_only=True))
    assert left == [("坏.jpg", "truncated")]

    # Where there is one kind only, what could not be read is to be typed.
    assert write_prefilled(tmp_path / "one.xlsx", records[:1] + records[2:], [SCHEMA]) == 2
    page = openpyxl.load_workbook(tmp_path / "one.xlsx")["diploma"]
    assert page.cell(3, 1).value == "坏.jpg"
    assert page.cell(3, 4).comment.text.startswith("nothing was read")


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_empty_sheet_for_a_schema(tmp_path: Path, language: Language) -> None:
    path = tmp_path / "verified.xlsx"
    assert api.template("graduation_certificate", path, language=language) == 0
    schema = find_schema("graduation_certificate")
    book = openpyxl.load_workbook(path)
    page = book["graduation_certificate"]
    headings = [cell.value for cell in page[1]]
    assert headings[1:] == list(schema.names)
    assert "checked" not in headings
    lists = page.data_validations.dataValidation
    assert {str(each.sqref) for each in lists} == {f"C2:C{EMPTY_ROWS + 1}", f"E2:E{EMPTY_ROWS + 1}"}
    how = [row[0] for row in book.worksheets[1].iter_rows(values_only=True) if row[0]]
    assert any("“证书编号”" in line or "无" in line for line in how)
    assert sum("ocr-moe evaluate" in line for line in how) == len(LANGUAGES)

    with pytest.raises(TruthError, match="no rows"):
        load_truth(path, schema)
    page.cell(2, 1).value = "a.jpg"
    page.cell(2, headings.index("证书编号") + 1).value = CODE
    page.cell(2, headings.index("毕业日期") + 1).value = "2019-06"
    book.save(path)
    truth = load_truth(path, schema)
    cells = {name: cell.value for name, cell in truth.rows[0].cells.items()}
    assert cells == {"证书编号": CODE, "毕业日期": "2019-06"}
    assert ProblemKind.OTHER_SHEET not in {problem.kind for problem in truth.problems}


def test_what_is_given_in_the_wrong_place_is_told(tmp_path: Path) -> None:
    mine = tmp_path / "verified.xlsx"
    mine.write_bytes(b"weeks of work")
    with pytest.raises(UsageError, match="somebody may have worked in it"):
        api.template("graduation_certificate", mine)
    assert mine.read_bytes() == b"weeks of work"
    with pytest.raises(UsageError, match=r"name it something\.xlsx"):
        api.template("graduation_certificate", tmp_path / "verified.csv")
    with pytest.raises(SchemaError, match="no schema 'diploma'"):
        api.template("diploma", tmp_path / "v.xlsx")
    with pytest.raises(StoreError, match="not a folder of a run"):
        api.template(tmp_path, tmp_path / "v.xlsx")
    no_word = Config.model_validate({"truth": {"absent": []}})
    with pytest.raises(UsageError, match=r"truth\.absent"):
        api.template("graduation_certificate", tmp_path / "v.xlsx", config=no_word)
    assert not (tmp_path / "v.xlsx").exists()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates whose page OCR is given, read by the rules."""
    folder = tmp_path_factory.mktemp("template")
    files = scans(folder / "scans", *FIRST)
    options = Options(schema="graduation_certificate", ocr=PAGES)
    extract(files, out=folder / "run", strategy="rules", options=options)
    return folder / "run"


def test_a_run_to_be_checked_and_back(run: Path, tmp_path: Path) -> None:
    out = shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "verified.xlsx"
    assert api.template(out, path) == len(FIRST)
    with pytest.raises(UsageError, match="name one of its strategies: rules"):
        api.template(out, tmp_path / "v.xlsx", strategy="moe")
    with pytest.raises(TruthError, match="no row is marked as checked"):
        api.evaluate(out, path)

    book = openpyxl.load_workbook(path)
    page = book["graduation_certificate"]
    headings = [cell.value for cell in page[1]]
    page.cell(2, headings.index("checked") + 1).value = "WL"
    page.cell(2, headings.index("姓名") + 1).value = "另一人"
    book.save(path)
    scores = api.evaluate(out, path)
    assert (scores.n_documents, scores.left_out.rows_unchecked) == (1, len(FIRST) - 1)
    assert scores.strategies["rules"].fields["姓名"].wrong == 1
    written = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    assert written["matched"]["by_file_name"] == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_filled_in_sheet_is_taken_in_at_the_desk(
    run: Path, tmp_path: Path, language: Language
) -> None:
    out = shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "sheet.xlsx"
    api.template(out, path, language=language)
    book = openpyxl.load_workbook(path)
    page = book["graduation_certificate"]
    headings = [cell.value for cell in page[1]]
    checked = next(i for i, each in enumerate(headings, 1) if each in CHECKED_HEADINGS)
    page.cell(2, checked).value = "WL"
    page.cell(2, headings.index("姓名") + 1).value = "另一人"
    page.cell(2, headings.index("专业") + 1).value = "无"
    page.cell(3, headings.index("姓名") + 1).value = "不计"
    book.save(path)

    with api.review(out) as desk:
        first, second, *_ = desk.documents()
        sure = desk.record(first.key)
        new, problems = taken_in(desk, path, "li")
        told = [each.told(language) for each in problems]
        record = desk.record(first.key)
        assert record is not None
        assert sure is not None
        assert (record.fields["姓名"].value, record.fields["姓名"].reviewer) == ("另一人", "li")
        assert (record.fields["专业"].value, record.fields["专业"].status) == (
            None,
            Status.VERIFIED,
        )
        assert new == sum(each.status is Status.VERIFIED for each in record.fields.values())
        assert desk.document(second.key).verified == 0, "nobody marked the row"
        if sure.fields["姓名"].status is Status.ACCEPTED:
            assert any("另一人" in each and str(sure.fields["姓名"].value) in each for each in told)
        assert taken_in(desk, path, "li")[0] == 0
        # Somebody else's sheet does not overrule what was decided meanwhile.
        cell = CellKey(first.key, "姓名")
        desk.judge(cell, "第三人", "ann")
        taken_in(desk, path, "bob")
        assert desk.differing() == [cell]


def test_a_sheet_about_other_documents_is_refused_at_the_desk(run: Path, tmp_path: Path) -> None:
    out = shutil.copytree(run, tmp_path / "run")
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (["文件名", "姓名"], ["elsewhere.jpg", "某人"]):
        book.active.append(row)
    book.save(tmp_path / "other.xlsx")
    with api.review(out) as desk:
        with pytest.raises(TruthError, match="no row is about a document of this run"):
            taken_in(desk, tmp_path / "other.xlsx", "li")
        assert desk.store.last_judgement() == 0


def test_the_folder_and_the_sheet_changed_over(run: Path, tmp_path: Path) -> None:
    out = shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "verified.xlsx"
    api.template(out, path)
    with pytest.raises(UsageError, match="give the folder first"):
        api.evaluate(path, out)
    with pytest.raises(StoreError, match="is a file, not the folder of a run"):
        api.evaluate(path, path)
    with pytest.raises(TruthError, match=r"is the folder of a run, not a verified sheet"):
        api.evaluate(out, out)
    opened = tmp_path / "~$verified.xlsx"
    opened.write_bytes(b"\x05WL")
    with pytest.raises(TruthError, match=r"only says that verified\.xlsx is open"):
        api.evaluate(out, opened)
    assert api.run_folder(out / "records.xlsx") == out


@pytest.mark.slow
def test_the_command_says_what_to_do_next(ocr_moe: Command, run: Path, tmp_path: Path) -> None:
    english = ocr_moe("template", run, "--out", tmp_path / "v.xlsx", env={"OCR_MOE_LANGUAGE": "en"})
    assert (english.status, english.err) == (0, "")
    assert english.out.startswith(f"A sheet with {len(FIRST)} documents: ")
    chinese = ocr_moe(
        *("template", "graduation_certificate", "--out", tmp_path / "空.xlsx"),
        env={"OCR_MOE_LANGUAGE": "zh"},
    )
    assert chinese.out.startswith("graduation_certificate 的空白核实表：")
    again = ocr_moe("template", run, "--out", tmp_path / "v.xlsx")
    assert again.status == 2

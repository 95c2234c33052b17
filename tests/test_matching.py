"""Rows and documents that file names do not bring together: by what was read, counted and told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.evaluate import EvaluationOptions, evaluate
from ocr_moe.evaluation.material import gather
from ocr_moe.evaluation.report.measures import left_out
from ocr_moe.evaluation.report.phrases import text
from ocr_moe.evaluation.summary import SummaryOptions
from ocr_moe.evaluation.truth.matched import Match, MatchedBy
from ocr_moe.evaluation.truth.matching import Readings, documents_of, match
from ocr_moe.evaluation.truth.problems import ProblemKind
from ocr_moe.evaluation.truth.sheet import load_truth
from ocr_moe.evaluation.truth.truthset import read_truths
from ocr_moe.formats.notes import note_in
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.types import Decision, DocumentRef, Record, Status
from ocr_moe.workshop.config import find_schema
from tests.test_evaluation_truth import sheet

HEADER = ["姓名", "出生日期", "学历层次", "毕业日期", "毕业院校", "专业", "证书编号"]
ZHANG = ["张伟", "1997-03-15", "本科", "2019-06-20", "四川大学", "数学", "106101201905001234"]
ZHANG_DEGREE = [*ZHANG[:6], "1061042019001234"]
OTHER_ZHANG = [
    "张伟",
    "1996-01-02",
    "本科",
    "2018-06-20",
    "兰州大学",
    "物理学",
    "107301201805000077",
]
LI = ["李娜", "1998-11-30", "专科", "2020-07-01", "南昌大学", "护理", "104031202006000456"]


@pytest.fixture(scope="module")
def schema() -> Schema:
    return find_schema("graduation_certificate")


def read(path: str, row: Sequence[str | None], strategy: str = "moe", **other: Any) -> Record:
    """A document on which the row's values were read."""
    said = dict(zip(HEADER, row, strict=True)) | other.pop("but", {})
    fields = {
        name: Decision(value=value, status=Status.ACCEPTED if value else Status.ABSTAINED)
        for name, value in said.items()
    }
    return Record(
        document=DocumentRef(path=path, sha256=path, page=other.pop("page", 1)),
        schema_name="graduation_certificate",
        strategy=strategy,
        fields=fields,
    )


def matched(
    folder: Path,
    schema: Schema,
    rows: Sequence[Sequence[Any]],
    records: Sequence[Record],
    header: Sequence[str] = HEADER,
) -> Match:
    truth = load_truth(sheet(folder, header, *rows), schema)
    runs: dict[str, list[Record]] = {}
    for record in records:
        runs.setdefault(record.strategy, []).append(record)
    of = match(truth, documents_of(runs), Readings(runs))
    for problem in (*of.problems, *of.truth.problems):
        if problem.kind in _IN_BOTH:
            assert note_in(problem.message, "zh") != problem.message
    return of


_IN_BOTH = (ProblemKind.NAMESAKES, ProblemKind.AMBIGUOUS, ProblemKind.BY_CODE)
"""Problems whose reasons are told in Chinese as well."""


def found(of: Match) -> dict[str, tuple[tuple[int, ...], MatchedBy]]:
    """Path → rows of the sheet, and by what."""
    return {document.key.path: (document.rows, document.by) for document in of.documents}


def columns(row: Sequence[str], *names: str) -> list[str]:
    return [row[HEADER.index(name)] for name in names]


def test_a_folder_of_scans_is_matched_by_the_names_that_were_read(
    tmp_path: Path, schema: Schema
) -> None:
    records = [read("IMG_0002.jpg", ZHANG), read("IMG_0001.jpg", LI), read("李娜2.jpg", LI)]
    of = matched(tmp_path, schema, [ZHANG, LI, ["王五", *LI[1:6], "104031202006000999"]], records)
    assert found(of) == {
        "IMG_0002.jpg": ((2,), MatchedBy.NAME_READ),
        "李娜2.jpg": ((3,), MatchedBy.SUBJECT),  # the file's own name goes first
    }
    assert of.rows_without_document == ("王五",)


def test_any_strategy_may_have_read_the_name(tmp_path: Path, schema: Schema) -> None:
    misread = {"姓名": "张讳"}
    records = [
        read("IMG_0001.jpg", ZHANG, "rules", but=misread),
        read("IMG_0001.jpg", ZHANG, "moe"),
    ]
    assert found(matched(tmp_path, schema, [ZHANG], records)) == {
        "IMG_0001.jpg": ((2,), MatchedBy.NAME_READ)
    }


def test_namesakes_are_told_apart_by_other_cells_or_told(tmp_path: Path, schema: Schema) -> None:
    records = [read("IMG_0001.jpg", OTHER_ZHANG), read("IMG_0002.jpg", ZHANG)]
    header = ["姓名", "出生日期"]
    rows = [columns(row, *header) for row in (ZHANG, OTHER_ZHANG)]
    of = matched(tmp_path, schema, rows, records, header)
    assert {path: rows for path, (rows, _) in found(of).items()} == {
        "IMG_0001.jpg": (3,),
        "IMG_0002.jpg": (2,),
    }

    header = ["姓名", "学历层次"]
    of = matched(tmp_path, schema, [columns(ZHANG, *header)], records, header)
    assert of.documents == ()
    assert of.rows_unclear == ("张伟",)
    assert of.rows_without_document == ()
    assert [problem.kind for problem in of.problems if problem.rows] == [ProblemKind.NAMESAKES]


def test_namesakes_by_file_name_are_told_apart_as_well(tmp_path: Path, schema: Schema) -> None:
    records = [
        read("a/张伟_本科_毕业证书.jpg", ZHANG),
        read("b/张伟_本科_毕业证书.jpg", OTHER_ZHANG),
    ]
    of = matched(tmp_path, schema, [OTHER_ZHANG], records)
    assert found(of) == {"b/张伟_本科_毕业证书.jpg": ((2,), MatchedBy.SUBJECT)}


def test_a_stranger_of_the_same_name_is_not_taken(tmp_path: Path, schema: Schema) -> None:
    of = matched(tmp_path, schema, [ZHANG], [read("IMG_0001.jpg", OTHER_ZHANG)])
    assert of.documents == ()
    assert of.rows_unclear == ("张伟",)


def test_two_documents_of_a_student_go_to_the_rows_of_their_kind(
    tmp_path: Path, schema: Schema
) -> None:
    records = [read("IMG_0001.jpg", ZHANG_DEGREE), read("IMG_0002.jpg", ZHANG)]
    of = matched(tmp_path, schema, [ZHANG, ZHANG_DEGREE], records)
    assert {path: rows for path, (rows, _) in found(of).items()} == {
        "IMG_0001.jpg": (3,),
        "IMG_0002.jpg": (2,),
    }
    # A row that says less is about the one that speaks for the student, or both where there are two.
    header = ["姓名", "毕业院校"]
    of = matched(tmp_path, schema, [columns(ZHANG, *header)], records, header)
    assert list(found(of)) == ["IMG_0002.jpg"]
    of = matched(tmp_path, schema, [columns(ZHANG, *header)] * 2, records, header)
    assert len(of.documents) == 2


def test_a_sheet_that_names_files_of_former_names(tmp_path: Path, schema: Schema) -> None:
    header = ["文件名", *HEADER]
    rows = [["scan1.jpg", *ZHANG], ["scan2.jpg", *LI], ["IMG_0003.jpg", *OTHER_ZHANG]]
    records = [
        read("IMG_0001.jpg", ZHANG),
        read("李娜_专科_毕业证书.jpg", LI, but={"证书编号": None}),
        read("IMG_0003.jpg", OTHER_ZHANG),
    ]
    assert found(matched(tmp_path, schema, rows, records, header)) == {
        "IMG_0001.jpg": ((2,), MatchedBy.NAME_READ),
        "李娜_专科_毕业证书.jpg": ((3,), MatchedBy.SUBJECT),
        "IMG_0003.jpg": ((4,), MatchedBy.FILE_NAME),
    }


def test_a_missing_file_does_not_take_another_document_of_its_student(
    tmp_path: Path, schema: Schema
) -> None:
    """The sheet's degree certificate is not in the folder; the diploma of the same student is."""
    header = ["文件名", *HEADER]
    rows = [["张伟_本科_学位证书.jpg", *ZHANG_DEGREE]]
    for path in ("IMG_0001.jpg", "张伟_本科_毕业证书.jpg"):
        of = matched(tmp_path, schema, rows, [read(path, ZHANG)], header)
        assert of.documents == ()
        assert of.rows_without_document == ("张伟_本科_学位证书.jpg",)


def test_by_code_where_the_name_was_misread_or_there_is_none(
    tmp_path: Path, schema: Schema
) -> None:
    misread = read("IMG_0001.jpg", ZHANG, but={"姓名": "弓长"})
    assert found(matched(tmp_path, schema, [ZHANG], [misread])) == {
        "IMG_0001.jpg": ((2,), MatchedBy.CODE_READ)
    }
    header = ["证书编号", "专业"]
    of = matched(tmp_path, schema, [columns(ZHANG, *header)], [misread], header)
    assert of.truth.by == "code"
    assert found(of) == {"IMG_0001.jpg": ((2,), MatchedBy.CODE_READ)}
    assert ProblemKind.BY_CODE in {problem.kind for problem in of.truth.problems}


def test_a_code_on_two_documents_is_told(tmp_path: Path, schema: Schema) -> None:
    header = ["证书编号", "学历层次"]
    twice = [read("IMG_0001.jpg", ZHANG), read("IMG_0002.jpg", ZHANG)]
    of = matched(tmp_path, schema, [columns(ZHANG, *header)], twice, header)
    assert of.documents == ()
    assert of.rows_unclear == (ZHANG[6],)


def test_a_code_misread_by_one_character_needs_what_only_its_subject_has(
    tmp_path: Path, schema: Schema
) -> None:
    """Neighbours in a class have codes of which one character differs, one school and one day."""
    neighbour = ["弓长", "1998-05-06", *ZHANG[2:6], ZHANG[6][:-1] + "5"]
    of = matched(tmp_path, schema, [ZHANG], [read("IMG_0001.jpg", neighbour)])
    assert of.documents == ()
    assert of.rows_without_document == ("张伟",)
    neighbour[1] = ZHANG[1]
    of = matched(tmp_path, schema, [ZHANG], [read("IMG_0001.jpg", neighbour)])
    assert found(of) == {"IMG_0001.jpg": ((2,), MatchedBy.CODE_READ)}


def test_a_file_of_many_students_names_none(tmp_path: Path, schema: Schema) -> None:
    records = [read("全班.pdf", row, page=n) for n, row in enumerate((ZHANG, LI), 1)]
    header = ["姓名", "学历层次"]
    rows = [columns(row, *header) for row in (LI, ZHANG)]
    of = matched(tmp_path, schema, rows, records, header)
    assert [(document.key.page, document.rows) for document in of.documents] == [
        (1, (3,)),
        (2, (2,)),
    ]


def test_pages_of_a_file_are_told_apart_by_what_was_read(tmp_path: Path, schema: Schema) -> None:
    records = [read("全班.pdf", row, page=n) for n, row in enumerate((ZHANG, LI), 1)]
    header = ["文件名", *HEADER]
    rows = [["全班.pdf", *LI], ["全班.pdf", *ZHANG], ["全班.pdf", *OTHER_ZHANG]]
    of = matched(tmp_path, schema, rows, records, header)
    assert [(document.key.page, document.rows) for document in of.documents] == [
        (1, (3,)),
        (2, (2,)),
    ]
    assert of.rows_unclear == ("全班.pdf",)


def test_licences_are_matched_by_their_own_name(tmp_path: Path) -> None:
    licence = find_schema("business_license")
    header = ["名称", "法定代表人", "住所"]
    rows = [["江城商贸有限公司", "张伟", "江城市中山路1号"], ["南山茶馆", "张伟", "南山路2号"]]

    def of_licence(path: str, row: Sequence[str]) -> Record:
        said = zip(header, row, strict=True)
        return Record(
            document=DocumentRef(path=path, sha256=path),
            schema_name=licence.name,
            strategy="moe",
            fields={n: Decision(value=v, status=Status.ACCEPTED) for n, v in said},
        )

    records = [of_licence(f"IMG_{n}.jpg", row) for n, row in enumerate(reversed(rows))]
    assert found(matched(tmp_path, licence, rows, records, header)) == {
        "IMG_0.jpg": ((3,), MatchedBy.NAME_READ),
        "IMG_1.jpg": ((2,), MatchedBy.NAME_READ),
    }


def test_a_kind_of_document_without_subjects_is_matched_by_its_code(tmp_path: Path) -> None:
    invoice = Schema(
        name="invoice",
        fields=(Field(name="发票号码", kind=Kind.CODE), Field(name="购买方名称")),
    )
    decision = Decision(value="12345678", status=Status.ACCEPTED)
    record = Record(
        document=DocumentRef(path="a.jpg", sha256="a"),
        schema_name="invoice",
        strategy="moe",
        fields={"发票号码": decision},
    )
    of = matched(tmp_path, invoice, [["12345678", "某公司"]], [record], ["发票号码", "购买方名称"])
    assert found(of) == {"a.jpg": ((2,), MatchedBy.CODE_READ)}


def test_what_was_found_by_reading_is_counted_and_told(tmp_path: Path, schema: Schema) -> None:
    records = [
        read("IMG_0001.jpg", ZHANG),
        read("IMG_0002.jpg", LI, but={"姓名": None}),
        read("IMG_0003.jpg", OTHER_ZHANG, but={"姓名": "章炜", "证书编号": None}),
    ]
    path = sheet(tmp_path, HEADER, ZHANG, LI, ["王五", *OTHER_ZHANG[1:]])
    material = gather({"moe": records}, [schema], read_truths([path]))
    options = EvaluationOptions(summary=SummaryOptions(repeats=10))
    scores = evaluate(material, tmp_path / "out", options=options)
    told: Mapping[str, Any] = scores.matched.model_dump()
    assert told == {
        "documents": 3,
        "rows": 3,
        "by_file_name": 0,
        "by_subject": 0,
        "by_name_read": 1,
        "by_code_read": 1,
    }
    said = [text([sentence], "en") for sentence in left_out(scores)]
    assert said[0].startswith("1 of 3 documents (33\u202f%) has no verified row")
    assert "1 of 2 scored documents (50\u202f%) was found by the name that was read" in said[-2]
    assert "1 of 2 scored documents (50\u202f%) was found by the code" in said[-1]
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "按读出的姓名" in report


# What counts in a sheet.


def test_only_rows_that_are_marked_as_checked_count(tmp_path: Path, schema: Schema) -> None:
    for heading in ("checked", "已核对", "核对人"):
        header = ["文件名", *HEADER, heading]
        rows: list[list[Any]] = [
            ["1.jpg", *ZHANG, "WL"],
            ["2.jpg", *LI, None],
            ["3.jpg", *LI, "否"],
            ["4.jpg", *LI, "√"],
        ]
        truth = load_truth(sheet(tmp_path, header, *rows), schema)
        assert [row.key for row in truth.rows] == ["1.jpg", "4.jpg"]
        assert truth.unchecked == 2
        [told] = [problem for problem in truth.problems if problem.kind is ProblemKind.UNCHECKED]
        assert told.rows == (3, 4)
        with pytest.raises(TruthError, match="no row is marked as checked"):
            load_truth(sheet(tmp_path, header, rows[1]), schema)


def test_a_row_without_its_file_is_matched_by_name_or_code(tmp_path: Path, schema: Schema) -> None:
    header = ["文件名", *HEADER]
    rows: list[list[Any]] = [["1.jpg", *LI], [None, *ZHANG], [None, None, *OTHER_ZHANG[1:]]]
    records = [read("1.jpg", LI), read("2.jpg", ZHANG), read("3.jpg", OTHER_ZHANG)]
    of = matched(tmp_path, schema, rows, records, header)
    assert {path: by for path, (_, by) in found(of).items()} == {
        "1.jpg": MatchedBy.FILE_NAME,
        "2.jpg": MatchedBy.NAME_READ,
        "3.jpg": MatchedBy.CODE_READ,
    }


def test_sheets_of_the_same_headings_are_one(tmp_path: Path, schema: Schema) -> None:
    """A class a sheet: none is passed over. Sheets of other headings are, and told."""
    import openpyxl

    book = openpyxl.Workbook()
    for name, header, row in (
        ("一班", HEADER, ZHANG),
        ("二班", HEADER, LI),
        ("三班", HEADER, None),
        ("旧数据", ["姓名", "证书编号"], ["张伟", "0"]),
    ):
        page = book.create_sheet(name)
        page.append(list(header))
        if row is not None:
            page.append(list(row))
    book.remove(book.worksheets[0])
    book.save(tmp_path / "classes.xlsx")
    truth = load_truth(tmp_path / "classes.xlsx", schema)
    assert [row.key for row in truth.rows] == ["张伟", "李娜"]
    assert len({row.place for row in truth.rows}) == 2
    assert truth.sheet == "一班, 二班"
    [told] = [problem for problem in truth.problems if problem.kind is ProblemKind.OTHER_SHEET]
    assert "旧数据" in told.message
    records = [read("IMG_0001.jpg", LI), read("IMG_0002.jpg", ZHANG)]
    runs = {"moe": records}
    of = match(truth, documents_of(runs), Readings(runs))
    assert len(of.documents) == 2

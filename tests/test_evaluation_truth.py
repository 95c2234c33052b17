"""Reading verified sheets: whatever a spreadsheet did to them is found and told."""

from __future__ import annotations

import datetime as dt
import zipfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from ocr_moe.codes.grammar import CodeGrammar, Segment
from ocr_moe.errors import TruthError
from ocr_moe.evaluation.truth.matching import match
from ocr_moe.evaluation.truth.problems import ProblemKind
from ocr_moe.evaluation.truth.sheet import Truth, load_truth
from ocr_moe.evaluation.truth.truthset import read_truths
from ocr_moe.schema import Field, Kind, Schema, Subjects
from ocr_moe.settings import TruthOptions
from ocr_moe.subjects import DocumentKey
from ocr_moe.types import DocumentRef

SCHEMA = Schema(
    name="diploma",
    fields=(
        Field(name="姓名", kind=Kind.PERSON, aliases=("学生姓名",)),
        Field(name="毕业日期", kind=Kind.DATE),
        Field(
            name="证书编号",
            kind=Kind.CODE,
            aliases=("编号",),
            grammars=(
                CodeGrammar(name="18", segments=(Segment(length=18),)),
                CodeGrammar(name="15", segments=(Segment(length=15),)),
            ),
        ),
    ),
    subjects=Subjects(
        pattern=r"(?P<name>[^_]+)_(?P<degree>本科|硕士)",
        degree_order=("硕士", "本科"),
    ),
)
CODE = "106131202505004931"


def sheet(tmp_path: Path, *rows: Sequence[Any], name: str = "truth.xlsx") -> Path:
    workbook = openpyxl.Workbook()
    worksheet = workbook.active
    assert worksheet is not None
    for row in rows:
        worksheet.append(list(row))
    workbook.save(tmp_path / name)
    return tmp_path / name


def kinds(truth: Truth) -> set[ProblemKind]:
    ours = {ProblemKind.FIELD_WITHOUT_COLUMN}
    return {problem.kind for problem in truth.problems} - ours


def values(truth: Truth, field: str = "证书编号") -> list[str | None]:
    return [row.cells[field].value for row in truth.rows if field in row.cells]


def refs(*paths: str) -> list[DocumentRef]:
    return [DocumentRef(path=path, sha256=path) for path in paths]


def test_columns_by_name_alias_and_with_a_remark(tmp_path: Path) -> None:
    path = sheet(
        tmp_path,
        ["文件名", "学生 姓名", "证书编号（必填）", "备注", "毕业日期："],
        ["a.jpg", "张三", CODE, "x", "二〇一九年六月二十日"],
    )

    truth = load_truth(path, SCHEMA)

    assert truth.by == "file"
    assert truth.fields == ("姓名", "毕业日期", "证书编号")
    assert {name: cell.value for name, cell in truth.rows[0].cells.items()} == {
        "姓名": "张三",
        "毕业日期": "2019-06-20",
        "证书编号": CODE,
    }
    assert kinds(truth) == set()


def test_a_title_and_a_two_row_header_with_merged_cells(tmp_path: Path) -> None:
    path = sheet(
        tmp_path,
        ["2019 届毕业生核对表"],
        [],
        ["文件名", "个人信息", None, "证书编号"],
        [None, "姓名", "毕业日期", None],
        ["a.jpg", "张三", "2019-06-20", CODE],
    )
    workbook = openpyxl.load_workbook(path)
    worksheet = workbook.active
    for area in ("A1:D1", "A3:A4", "B3:C3", "D3:D4"):
        worksheet.merge_cells(area)
    workbook.save(path)

    truth = load_truth(path, SCHEMA)

    assert truth.fields == SCHEMA.names
    assert [(row.number, row.key) for row in truth.rows] == [(5, "a.jpg")]
    assert values(truth) == [CODE]


def test_merged_values_count_for_each_row_and_are_told(tmp_path: Path) -> None:
    path = sheet(
        tmp_path,
        ["文件名", "毕业日期"],
        ["a.jpg", "2019-06-20"],
        ["b.jpg", None],
        ["c.jpg", "2020-01-02"],
    )
    workbook = openpyxl.load_workbook(path)
    workbook.active.merge_cells("B2:B3")
    workbook.save(path)

    truth = load_truth(path, SCHEMA)

    assert values(truth, "毕业日期") == ["2019-06-20", "2019-06-20", "2020-01-02"]
    assert kinds(truth) == {ProblemKind.MERGED}


def test_blank_is_unverified_and_markers_mean_absent(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["file", "姓名", "编号"]]
    rows += [
        [f"{i}.jpg", "张三", text] for i, text in enumerate([None, "无", "－", "NULL", "absent"])
    ]
    path = sheet(tmp_path, *rows)

    truth = load_truth(path, SCHEMA)

    assert values(truth) == [None] * 4
    assert truth.blank == 1
    declared = load_truth(path, SCHEMA, TruthOptions(blank="absent", absent=("NULL",)))
    assert declared.blank == 0
    assert values(declared).count(None) == 2


def replace_in_sheet(path: Path, old: str, new: str) -> None:
    """Write into the workbook's XML what another program than openpyxl would have."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = "xl/worksheets/sheet1.xml"
    assert old.encode() in parts[name]
    parts[name] = parts[name].replace(old.encode(), new.encode())
    with zipfile.ZipFile(path, "w") as archive:
        for part, data in parts.items():
            archive.writestr(part, data)


def test_numbers_that_lost_digits_are_not_scored(tmp_path: Path) -> None:
    rounded = 1.06131202505004e17
    path = sheet(
        tmp_path,
        ["file", "编号"],
        ["damaged.jpg", rounded],
        ["also.jpg", 11],
        ["exact.jpg", 12],
        ["short.jpg", 123456789012345],
    )
    replace_in_sheet(path, "<v>11</v>", "<v>106131202505004000</v>")
    replace_in_sheet(path, "<v>12</v>", f"<v>{CODE}</v>")

    truth = load_truth(path, SCHEMA)

    assert [row.key for row in truth.rows if row.cells] == ["exact.jpg", "short.jpg"]
    assert values(truth) == [CODE, "123456789012345"]
    assert truth.unscorable == 2
    lost = next(p for p in truth.problems if p.kind is ProblemKind.LOST_DIGITS)
    assert (lost.rows, lost.field) == ((2, 3), "证书编号")
    assert "text" in lost.sentence
    assert ProblemKind.NUMERIC_CODE in kinds(truth)


def test_a_number_that_lost_leading_zeros_is_not_scored(tmp_path: Path) -> None:
    truth = load_truth(
        sheet(tmp_path, ["file", "编号"], ["a", 12345678901234], ["b", CODE]), SCHEMA
    )

    assert values(truth) == [CODE]
    assert any("leading zeros" in problem.sentence for problem in truth.problems)


def test_scientific_notation_and_rounded_texts(tmp_path: Path) -> None:
    rows = [["file", "编号"], ["sci.jpg", "1.06131E+17"]]
    rows += [[f"{i}.jpg", f"1061312025050{i}000"] for i in range(10, 16)]
    rows += [[f"h{i}.jpg", str(int(CODE) + i)] for i in range(20)]

    truth = load_truth(sheet(tmp_path, *rows), SCHEMA)

    assert len(values(truth)) == 20
    assert truth.unscorable == 7


def test_one_honest_code_on_three_zeros_is_scored(tmp_path: Path) -> None:
    rows = [["file", "编号"], ["a.jpg", "106131202505004000"]]
    rows += [[f"h{i}.jpg", str(int(CODE) + i)] for i in range(20)]

    assert len(values(load_truth(sheet(tmp_path, *rows), SCHEMA))) == 21


def test_date_cells_serial_numbers_and_dates_without_a_day(tmp_path: Path) -> None:
    path = sheet(
        tmp_path,
        ["file", "毕业日期"],
        ["a", dt.datetime(2019, 6, 20)],
        ["b", dt.date(2019, 6, 20)],
        ["c", dt.datetime(2019, 6, 1)],
        ["d", 43636],
        ["e", "2019.6"],
    )
    workbook = openpyxl.load_workbook(path)
    workbook.active["B4"].number_format = 'yyyy"年"m"月"'
    workbook.save(path)

    truth = load_truth(path, SCHEMA)

    assert values(truth, "毕业日期") == [
        "2019-06-20",
        "2019-06-20",
        "2019-06",
        "2019-06-20",
        "2019-06",
    ]


def test_a_value_that_is_no_date_is_told_and_compared_as_text(tmp_path: Path) -> None:
    truth = load_truth(sheet(tmp_path, ["file", "毕业日期"], ["a", "夏天"]), SCHEMA)

    assert values(truth, "毕业日期") == ["夏天"]
    assert kinds(truth) == {ProblemKind.ODD_VALUE}


def test_error_cells_and_formulas_without_a_result(tmp_path: Path) -> None:
    path = sheet(tmp_path, ["file", "姓名", "编号"], ["a", "=A1", CODE], ["b", "#N/A", CODE])

    truth = load_truth(path, SCHEMA)

    assert values(truth, "姓名") == []
    assert truth.unscorable == 2
    assert kinds(truth) == {ProblemKind.BAD_CELL}


def test_two_columns_for_a_field_and_a_field_without_one(tmp_path: Path) -> None:
    truth = load_truth(sheet(tmp_path, ["file", "学生姓名", "姓名"], ["a", "李四", "张三"]), SCHEMA)

    assert values(truth, "姓名") == ["张三"]
    assert kinds(truth) == {ProblemKind.DUPLICATE_COLUMN}
    assert sum(p.kind is ProblemKind.FIELD_WITHOUT_COLUMN for p in truth.problems) == 2


def test_of_two_columns_for_a_field_the_filled_one_counts(tmp_path: Path) -> None:
    path = sheet(
        tmp_path,
        ["file", "证书编号", "编号"],
        ["a", None, CODE],
        ["b", CODE, None],
        ["c", None, None],
        ["d", 1.06131202505004e17, CODE],
    )

    truth = load_truth(path, SCHEMA)

    assert [row.key for row in truth.rows if row.cells] == ["a", "b", "d"]
    assert values(truth) == [CODE] * 3
    assert (truth.blank, truth.unscorable) == (1, 0)


KINDS = Schema(
    name="certificate",
    fields=(
        Field(name="姓名", kind=Kind.PERSON),
        Field(name="学历", kind=Kind.ENUM, values={"本科": ("学士",), "硕士": ()}),
        Field(
            name="编号",
            kind=Kind.CODE,
            aliases=("毕业证书编号", "学位证书编号"),
            grammars=(
                CodeGrammar(name="18", segments=(Segment(length=18),), labels=("毕业证书编号",)),
                CodeGrammar(name="16", segments=(Segment(length=16),), labels=("学位证书编号",)),
            ),
        ),
    ),
    subjects=Subjects(
        pattern=r"(?P<name>[^_]+)_(?P<degree>本科|硕士)_(?P<kind>毕业证书|学位证书)(?:_\d)?",
        degree_order=("硕士", "本科"),
        kind_order=("毕业证书|毕业证", "学位证书|学位证"),
    ),
)
DEGREE = "1061342025004931"


def found(truth: Truth, *paths: str) -> dict[str, dict[str, str | None]]:
    """path → field → verified value, of the documents that rows belong to."""
    return {
        document.key[0]: {name: cell.value for name, cell in document.cells.items()}
        for document in match(truth, refs(*paths)).documents
    }


def test_numbers_of_two_documents_in_one_row_go_to_each_of_them(tmp_path: Path) -> None:
    header = ["姓名", "毕业证书编号", "学位证书编号"]
    rows = (["张三", CODE, DEGREE], ["李四", None, DEGREE], ["王五", CODE, None])
    names = ("张三_本科_毕业证书.jpg", "张三_本科_学位证书.jpg", "李四_本科_毕业证书.jpg")

    truth = load_truth(sheet(tmp_path, header, *rows), KINDS)

    assert kinds(truth) == {ProblemKind.COLUMNS_BY_KIND}
    assert truth.blank == 0
    assert found(truth, *names, "王五_本科_毕业证书.jpg") == {
        names[0]: {"姓名": "张三", "编号": CODE},
        names[1]: {"编号": DEGREE},
        names[2]: {"姓名": "李四"},
        "王五_本科_毕业证书.jpg": {"姓名": "王五", "编号": CODE},
    }


def test_by_file_a_row_gives_its_document_the_number_of_its_kind(tmp_path: Path) -> None:
    header = ["file", "毕业证书编号", "学位证书编号"]
    rows = ([f"张三_本科_{kind}.jpg", CODE, DEGREE] for kind in ("毕业证书", "学位证书"))
    path = sheet(tmp_path, header, *rows, ["scan1.jpg", CODE, DEGREE], ["scan2.jpg", None, DEGREE])
    names = ["张三_本科_毕业证书.jpg", "张三_本科_学位证书.jpg", "scan1.jpg", "scan2.jpg"]

    truth = load_truth(path, KINDS)

    assert found(truth, *names) == {
        names[0]: {"编号": CODE},
        names[1]: {"编号": DEGREE},
        "scan1.jpg": {},
        "scan2.jpg": {"编号": DEGREE},
    }
    [told] = match(truth, refs(*names)).problems
    assert (told.kind, told.rows) == (ProblemKind.AMBIGUOUS, (4,))


def test_rows_of_one_name_find_their_document_by_degree_and_form_of_code(tmp_path: Path) -> None:
    rows = [
        ["姓名", "文化程度", "编号"],
        ["张三 ", "本科", DEGREE],
        ["张 三", "本科", CODE],
        ["张三", "硕士", CODE],
        ["李四", "本科", CODE],
        ["李四", "本科", CODE[::-1]],
    ]
    names = [f"张三_本科_{kind}.jpg" for kind in ("毕业证书", "学位证书")]
    names += ["张三_硕士_毕业证书.jpg", "李四_本科_毕业证书.jpg"]

    truth = load_truth(sheet(tmp_path, *rows), KINDS)

    told = [problem.message for problem in truth.problems]
    assert told == ["the column '文化程度' was taken for 学历, by its values"]
    by_file = found(truth, *names)
    assert {name: cells["编号"] for name, cells in by_file.items()} == {
        names[0]: CODE,
        names[1]: DEGREE,
        names[2]: CODE,
    }
    [told_of] = match(truth, refs(*names)).problems
    assert (told_of.kind, told_of.rows) == (ProblemKind.NAMESAKES, (5, 6))


def test_dates_of_eras_and_day_numbers_kept_as_text(tmp_path: Path) -> None:
    texts = ["民国108年6月20日", "中華民國一百零八年六月二十日", "43636", "令和元年6月20日"]
    rows = [[f"{index}.jpg", text] for index, text in enumerate(texts)]

    truth = load_truth(sheet(tmp_path, ["file", "毕业日期"], *rows), SCHEMA)

    assert values(truth, "毕业日期") == ["2019-06-20"] * 4
    assert [problem.rows for problem in truth.problems if problem.rows] == [(4,)]


def test_in_a_column_of_months_the_day_of_a_reading_is_not_looked_at(tmp_path: Path) -> None:
    field = SCHEMA.field("毕业日期")
    rows = [["a", "2019年6月"], ["b", "2019.07"], ["c", "2019-08-01"]]
    truth = load_truth(sheet(tmp_path, ["file", "毕业日期"], *rows), SCHEMA)
    month, _, day = (row.cells["毕业日期"] for row in truth.rows)

    assert ProblemKind.MONTHS in kinds(truth)
    assert month.says(field, "2019-06-20")
    assert month.says(field, "2019-06")
    assert not month.says(field, "2019-07-20")
    assert not month.says(field, None)
    assert not day.says(field, "2019-08")

    rows = [["a", "2019年6月"], ["b", "2019-07-01"]]
    of_days = load_truth(sheet(tmp_path, ["file", "毕业日期"], *rows), SCHEMA)
    assert not of_days.rows[0].cells["毕业日期"].says(field, "2019-06-20")


def test_no_usable_column_says_what_was_found_and_what_would_do(tmp_path: Path) -> None:
    with pytest.raises(TruthError) as raised:
        load_truth(sheet(tmp_path, ["file", "Namen"], ["a", "b"]), SCHEMA)
    for words in ("file, Namen", "姓名 (学生姓名)", "证书编号"):
        assert words in str(raised.value)


def test_no_column_for_the_document(tmp_path: Path) -> None:
    schema = SCHEMA.model_copy(update={"subjects": None})
    with pytest.raises(TruthError, match="which document"):
        load_truth(sheet(tmp_path, ["姓名"], ["张三"]), schema)
    with pytest.raises(TruthError, match="there is no column 'scan'"):
        load_truth(sheet(tmp_path, ["姓名"], ["张三"]), schema, TruthOptions(file_column="scan"))


def test_file_names_are_found_by_their_looks_or_by_option(tmp_path: Path) -> None:
    path = sheet(tmp_path, ["证件", "姓名"], ["a.jpg", "张三"], ["b.PNG", "李四"])
    truth = load_truth(path, SCHEMA)
    assert (truth.by, [row.key for row in truth.rows]) == ("file", ["a.jpg", "b.PNG"])
    assert kinds(truth) == {ProblemKind.UNKNOWN_COLUMN}

    path = sheet(tmp_path, ["证件", "姓名"], ["a", "张三"])
    truth = load_truth(path, SCHEMA, TruthOptions(file_column="证件"))
    assert (truth.by, truth.rows[0].key) == ("file", "a")


def test_the_sheet_with_the_columns_is_found(tmp_path: Path) -> None:
    path = sheet(tmp_path, ["说明"], ["…"])
    workbook = openpyxl.load_workbook(path)
    workbook.create_sheet("数据").append(["file", "姓名"])
    workbook["数据"].append(["a", "张三"])
    workbook.save(path)

    assert load_truth(path, SCHEMA).sheet == "数据"
    with pytest.raises(TruthError, match="'Sheet', '数据'"):
        load_truth(path, SCHEMA, TruthOptions(sheet="nope"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_in_the_encodings_and_delimiters_of_the_wild(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    path = tmp_path / "truth.csv"
    rows = [
        ["文件名", "姓名", "证书编号"],
        ["a.jpg", "张三", f'="{CODE}"'],
        ["b.jpg", "", f"'{CODE}"],
    ]
    path.write_bytes("\r\n".join(delimiter.join(row) for row in rows).encode(encoding))

    truth = load_truth(path, SCHEMA)

    assert values(truth) == [CODE, CODE]
    assert values(truth, "姓名") == ["张三"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.xlsx", b"", "empty"),
        ("a.xlsx", b"name,code\n", "not one"),
        ("a.xlsx", b"PK\x03\x04 broken", "not a readable Excel"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "save it as .xlsx"),
        (
            "a.xlsx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "password",
        ),
        ("a.pdf", b"%PDF-1.7", "not supported"),
        ("a.csv", b"\x00\x01\x02", "not a text file"),
        ("a.csv", b"\x81\xff\xfe\xff,\xff", "neither UTF-8 nor"),
    ],
)
def test_wrong_files_are_named_for_what_they_are(
    tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TruthError, match=words):
        load_truth(tmp_path / name, SCHEMA)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(TruthError, match="no such file"):
        load_truth(tmp_path / "none.xlsx", SCHEMA)
    with pytest.raises(TruthError, match="is a folder"):
        load_truth(tmp_path, SCHEMA)
    with pytest.raises(TruthError, match="no rows"):
        load_truth(sheet(tmp_path, ["file", "姓名"]), SCHEMA)


def test_rows_find_documents_with_or_without_folder_and_extension(tmp_path: Path) -> None:
    rows: list[list[Any]] = [["file", "姓名"]]
    rows += [[key, "张三"] for key in ("1.JPG", "b/2", r"D:\scans\c\3.jpg", "other/4.png", 5)]
    truth = load_truth(sheet(tmp_path, *rows), SCHEMA)

    found = match(truth, refs("a/1.jpg", "a/b/2.jpg", "c/3.jpg", "4.jpg", "0005.jpg", "6.jpg"))

    assert [document.key[0] for document in found.documents] == [
        "0005.jpg",
        "4.jpg",
        "a/1.jpg",
        "a/b/2.jpg",
        "c/3.jpg",
    ]
    assert found.rows_without_document == ()
    assert found.problems == ()


def test_an_exact_row_is_not_taken_by_one_of_another_folder(tmp_path: Path) -> None:
    path = sheet(tmp_path, ["file", "姓名"], ["x/1.jpg", "张三"], ["y/1.jpg", "李四"])

    found = match(load_truth(path, SCHEMA), refs("y/1.jpg"))

    assert [d.cells["姓名"].value for d in found.documents] == ["李四"]
    assert found.rows_without_document == ("x/1.jpg",)


def test_an_ambiguous_name_is_left_out_and_told(tmp_path: Path) -> None:
    path = sheet(tmp_path, ["file", "姓名"], ["1.jpg", "张三"])

    found = match(load_truth(path, SCHEMA), refs("a/1.jpg", "b/1.jpg"))

    assert found.documents == ()
    assert [problem.kind for problem in found.problems] == [ProblemKind.AMBIGUOUS]
    assert "write the folder" in found.problems[0].sentence


def test_pages_of_one_file_need_a_page_column(tmp_path: Path) -> None:
    pages = [DocumentRef(path="a.pdf", sha256="a", page=page) for page in (1, 2)]
    without = load_truth(sheet(tmp_path, ["file", "姓名"], ["a.pdf", "张三"]), SCHEMA)
    assert "page" in match(without, pages).problems[0].sentence

    rows: list[list[Any]] = [
        ["file", "页码", "姓名"],
        ["a.pdf", 2, "李四"],
        ["a.pdf", 1, "张三"],
        ["a.pdf", 7, "王五"],
    ]
    found = match(load_truth(sheet(tmp_path, *rows), SCHEMA), pages)
    assert [(d.key[1], d.cells["姓名"].value) for d in found.documents] == [
        (1, "张三"),
        (2, "李四"),
    ]
    assert "no such page" in found.problems[0].sentence


def test_documents_that_share_a_page_are_told_by_what_was_read(tmp_path: Path) -> None:
    halves = ((0.0, 0.0, 1.0, 0.5), (0.0, 0.5, 1.0, 1.0))
    parts = [
        DocumentRef(path="a.png", sha256="a", part=number, region=half)
        for number, half in enumerate(halves, 1)
    ]
    other = "100061201905005678"
    said = {
        DocumentKey("a.png", 1, 1): {"姓名": {"张三"}, "证书编号": {CODE}},
        DocumentKey("a.png", 1, 2): {"姓名": {"李四", "李西"}, "证书编号": {other}},
    }
    rows: list[list[Any]] = [["file", "姓名", "证书编号"], ["a.png", "李四", other]]
    second = load_truth(sheet(tmp_path, *rows), SCHEMA)
    found = match(second, parts, lambda: said)
    assert [document.key.part for document in found.documents] == [2]
    assert found.touched == {DocumentKey("a.png", 1, 2)}  # the first has no row of its own

    both = load_truth(sheet(tmp_path, *rows, ["a.png", "张三", CODE]), SCHEMA)
    found = match(both, parts, lambda: said)
    assert [(d.key.part, d.cells["姓名"].value) for d in found.documents] == [
        (1, "张三"),
        (2, "李四"),
    ]
    assert found.problems == ()

    nothing: dict[DocumentKey, dict[str, set[str]]] = {}
    for unread in (nothing, {key: {"姓名": {"王五"}} for key in said}):
        found = match(second, parts, partial(dict, unread))
        assert found.documents == ()
        assert "add a column `part`" in found.problems[0].sentence

    told = load_truth(sheet(tmp_path, ["file", "part", "姓名"], ["a.png", 2, "张三"]), SCHEMA)
    assert [document.key.part for document in match(told, parts, lambda: said).documents] == [2]


def test_contradictory_rows_leave_only_the_differing_cells_out(tmp_path: Path) -> None:
    path = sheet(
        tmp_path,
        ["file", "姓名", "编号"],
        ["a.jpg", "张三", CODE],
        ["a", "李四", CODE],
        ["b", "王五", CODE],
    )

    found = match(load_truth(path, SCHEMA), refs("a.jpg", "b.jpg"))

    assert set(found.documents[0].cells) == {"证书编号"}
    assert [p.kind for p in found.problems] == [ProblemKind.CONTRADICTION]
    assert found.problems[0].rows == (2, 3)


def test_by_subject_the_chosen_document_is_scored(tmp_path: Path) -> None:
    path = sheet(tmp_path, ["姓名", "证书编号"], ["张 三", CODE], ["张三丰", CODE], ["不在", CODE])
    documents = refs("张三_本科.jpg", "张三_硕士.jpg", "张三丰_本科.jpg", "李四_本科.jpg")

    truth = load_truth(path, SCHEMA)
    found = match(truth, documents)

    assert truth.by == "subject"
    assert [d.key[0] for d in found.documents] == ["张三_硕士.jpg", "张三丰_本科.jpg"]
    assert found.rows_without_document == ("不在",)
    assert DocumentKey("张三_本科.jpg") in found.touched
    assert DocumentKey("李四_本科.jpg") not in found.touched


def test_namesakes_are_left_out_not_merged(tmp_path: Path) -> None:
    rows = [
        ["姓名", "证书编号"],
        ["张三", CODE],
        ["李四", CODE],
        ["李四", CODE[::-1]],
        ["王五", CODE],
    ]
    rows.append(["王五", CODE])
    documents = refs("a/张三_本科.jpg", "b/张三_本科.jpg", "李四_本科.jpg", "王五_本科.jpg")

    found = match(load_truth(sheet(tmp_path, *rows), SCHEMA), documents)

    assert [d.key[0] for d in found.documents] == ["王五_本科.jpg"]
    told = {problem.kind for problem in found.problems}
    assert told == {ProblemKind.NAMESAKES, ProblemKind.DUPLICATE_ROW}


def test_each_schema_gets_its_sheet(tmp_path: Path) -> None:
    licence = Schema(name="licence", fields=(Field(name="名称"), Field(name="住所")))
    one = sheet(tmp_path, ["file", "名称", "住所"], ["l.jpg", "公司", "路"], name="l.xlsx")
    two = sheet(tmp_path, ["file", "姓名"], ["d.jpg", "张三"], name="d.xlsx")

    both = read_truths([one, two])
    both.check([SCHEMA, licence])
    truths = both.of([SCHEMA, licence])
    assert {truth.schema.name: truth.source.name for truth in truths} == {
        "licence": "l.xlsx",
        "diploma": "d.xlsx",
    }
    with pytest.raises(TruthError, match="both"):
        read_truths([one, one]).of([SCHEMA, licence])


def test_only_what_no_document_could_change_is_refused_before_a_run(tmp_path: Path) -> None:
    """`compare` checks sheets before it asks anybody, and knows its documents' schemas after."""
    wide = Schema(name="wide", fields=(Field(name="姓名"), Field(name="性别"), Field(name="专业")))
    degree = Schema(name="degree", fields=(Field(name="姓名"), Field(name="性别")))
    course = Schema(name="course", fields=(Field(name="姓名"), Field(name="专业")))
    one = sheet(tmp_path, ["file", "性别", "姓名"], ["a.jpg", "男", "张三"], name="one.xlsx")
    two = sheet(tmp_path, ["file", "专业", "姓名"], ["b.jpg", "数学", "李四"], name="two.xlsx")
    useless = sheet(tmp_path, ["file", "备注"], ["a.jpg", "-"], name="useless.xlsx")
    known = [wide, degree, course]

    sheets = read_truths([one, two])
    with pytest.raises(TruthError, match="both"):
        sheets.of(known)
    sheets.check(known)
    assert [truth.schema.name for truth in sheets.of([degree, course])] == ["degree", "course"]
    for schemas in ([wide], known):
        with pytest.raises(TruthError, match=r"useless\.xlsx: no column is a field of wide"):
            read_truths([one, useless]).check(schemas)
    with pytest.raises(TruthError, match="both"):
        sheets.check([wide])


def test_a_workbook_written_by_extract_can_be_verified_and_used(tmp_path: Path) -> None:
    from ocr_moe.exports.workbook import write_workbook
    from ocr_moe.types import Decision, Record, Status

    fields = {"证书编号": Decision(value=CODE, status=Status.ACCEPTED)}
    [document] = refs("班级/张三_本科.jpg")
    record = Record(document=document, schema_name="diploma", strategy="moe", fields=fields)
    write_workbook(tmp_path / "records.xlsx", [record], [SCHEMA])

    with pytest.raises(TruthError, match="no cell in it is marked as checked"):
        read_truths([tmp_path / "records.xlsx"]).of([SCHEMA])

    book = openpyxl.load_workbook(tmp_path / "records.xlsx")
    [column] = [cell.column for cell in book["documents"][1] if cell.value == "checked"]
    book["documents"].cell(2, column).value = "WL"
    book.save(tmp_path / "records.xlsx")
    truth = load_truth(tmp_path / "records.xlsx", SCHEMA)
    assert (truth.by, truth.rows[0].key, truth.rows[0].page) == ("file", "班级/张三_本科.jpg", 1)
    assert values(truth) == [CODE]


def test_one_sheet_of_records_serves_each_schema_by_its_column(tmp_path: Path) -> None:
    licence = Schema(name="licence", fields=(Field(name="名称"), Field(name="住所")))
    path = sheet(
        tmp_path,
        ["document", "page", "schema", "姓名", "名称", "住所"],
        ["d.jpg", 1, "diploma", "张三", None, None],
        ["l.jpg", 1, "licence", None, "公司", "路"],
        ["x.jpg", 1, None, None, None, None],
    )

    truths = read_truths([path]).of([SCHEMA, licence])

    assert {t.schema.name: [row.key for row in t.rows] for t in truths} == {
        "diploma": ["d.jpg"],
        "licence": ["l.jpg"],
    }

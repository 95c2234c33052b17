"""records.xlsx corrected by people and given back: in openpyxl, in LibreOffice, and spoilt."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.styles import Color, PatternFill
from openpyxl.worksheet.worksheet import Worksheet

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.material import gather
from ocr_moe.evaluation.truth.corrected import Corrected, How, read_corrected
from ocr_moe.evaluation.truth.problems import ProblemKind
from ocr_moe.evaluation.truth.truthset import read_truths
from ocr_moe.exports.workbook import write_workbook
from ocr_moe.formats.notes import note_in
from ocr_moe.formats.phrases import Language
from ocr_moe.reviewing.workbooks import judgements_in
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.store.database import Store, row_of
from ocr_moe.types import Decision, DocumentRef, Judgement, JudgementKind, Record, Status
from tests.conftest import Command
from tests.test_store_migrations import FIRST, PAGES, scans

CODE = "106131202505004931"
DIPLOMA = Schema(
    name="diploma",
    fields=(
        Field(name="姓名", kind=Kind.PERSON),
        Field(name="性别", kind=Kind.ENUM, values={"男": (), "女": ()}),
        Field(name="毕业日期", kind=Kind.DATE),
        Field(name="证书编号", kind=Kind.CODE),
        Field(name="page"),
    ),
)
LICENCE = Schema(
    name="licence", fields=(Field(name="名称", kind=Kind.ORGANISATION), Field(name="type"))
)
SCHEMAS = (DIPLOMA, LICENCE)
GREEN = PatternFill("solid", fgColor="FF92D050")
AT = "2026-11-28T01:00:00+00:00"
LATER = "2026-11-28T02:00:00+00:00"


def record(path: str, schema: str = "diploma", number: int = 1, **fields: Decision | str) -> Record:
    decisions = {
        name: value
        if isinstance(value, Decision)
        else Decision(value=value, status=Status.ACCEPTED, confidence=0.99)
        for name, value in fields.items()
    }
    return Record(
        document=DocumentRef(path=path, sha256=path, page=number),
        schema_name=schema,
        strategy="moe",
        fields=decisions,
    )


UNSURE = Decision(value="张三", status=Status.ABSTAINED, confidence=0.6)
MISSING = Decision(status=Status.ABSTAINED, confidence=0.1)
ABSENT = Decision(status=Status.ABSENT, confidence=0.9)
RECORDS = (
    record("a.jpg", 姓名=UNSURE, 性别="男", 毕业日期="2019-06-20", 证书编号=CODE, page="7"),
    record("b.jpg", 姓名="李四", 性别="女", 毕业日期="2018-07", 证书编号=MISSING, page=ABSENT),
    record("c.pdf", 姓名="王五", 性别="女", 毕业日期="2017-07-01", 证书编号="0123", page=ABSENT),
    record("c.pdf", number=2, 姓名="赵六", 性别="男", 毕业日期="2016-07-01", 证书编号=CODE),
    record("l.jpg", "licence", 名称="公司", type="有限"),
    record("m.jpg", "licence", 名称="商店", type=ABSENT),
)
CELLS = sum(len(each.fields) for each in RECORDS)


def written(tmp_path: Path, language: Language = "en", records: Sequence[Record] = RECORDS) -> Path:
    path = tmp_path / "records.xlsx"
    write_workbook(path, records, SCHEMAS, language=language)
    return path


class Editor:
    """A person at a spreadsheet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.book = openpyxl.load_workbook(path)

    def cell(self, sheet: str, row: int, heading: str) -> Any:
        heads = [cell.value for cell in self.book[sheet][1]]
        return self.book[sheet].cell(row, heads.index(heading) + 1)

    def put(self, row: int, heading: str, value: Any, sheet: str = "diploma") -> None:
        self.cell(sheet, row, heading).value = value

    def save(self) -> Path:
        self.book.save(self.path)
        return self.path


def edited(tmp_path: Path, *puts: tuple[Any, ...], language: Language = "en") -> Corrected:
    editor = Editor(written(tmp_path, language))
    for put in puts:
        editor.put(*put)
    return read_corrected(editor.save(), SCHEMAS)


def said(corrected: Corrected) -> list[tuple[str, int, str, str | None, str]]:
    return [
        (c.document.path, c.document.page, c.field, c.value, c.how.value) for c in corrected.cells
    ]


def test_nothing_that_nobody_touched_counts(tmp_path: Path) -> None:
    corrected = read_corrected(written(tmp_path), SCHEMAS)

    assert (corrected.cells, corrected.untouched, corrected.problems) == ((), CELLS, ())
    with pytest.raises(TruthError, match=r"no cell in it is marked as checked .*23 untouched"):
        read_truths([tmp_path / "records.xlsx"]).of(SCHEMAS)


def test_a_changed_value_counts_by_itself_and_is_normalised(tmp_path: Path) -> None:
    corrected = edited(
        tmp_path,
        (2, "姓名", "张 三丰"),
        (2, "毕业日期", "２０１９年６月二十一日"),
        (3, "证书编号", "10613 1202505004932"),
        (2, "type", "个体", "licence"),
    )

    assert said(corrected) == [
        ("a.jpg", 1, "姓名", "张三丰", "changed"),
        ("a.jpg", 1, "毕业日期", "2019-06-21", "changed"),
        ("b.jpg", 1, "证书编号", "106131202505004932", "changed"),
        ("l.jpg", 1, "type", "个体", "changed"),
    ]
    assert corrected.untouched == CELLS - 4


@pytest.mark.parametrize(
    ("mark", "reviewer"),
    [("WL", "WL"), ("x", None), ("✓", None), ("是", None), (" 王 磊 ", "王磊")],
)
def test_a_marked_row_counts_as_it_stands(tmp_path: Path, mark: str, reviewer: str | None) -> None:
    corrected = edited(tmp_path, (3, "checked", mark), (3, "性别", "男"))

    assert said(corrected) == [
        ("b.jpg", 1, "page", None, "confirmed"),
        ("b.jpg", 1, "姓名", "李四", "confirmed"),
        ("b.jpg", 1, "性别", "男", "changed"),
        ("b.jpg", 1, "毕业日期", "2018-07", "confirmed"),
        ("b.jpg", 1, "证书编号", None, "confirmed"),
    ]
    assert {cell.reviewer for cell in corrected.cells} == {reviewer}


@pytest.mark.parametrize("mark", ["no", "否", "未核对", " ", "?"])
def test_a_row_of_which_it_says_that_it_was_not_checked(tmp_path: Path, mark: str) -> None:
    assert edited(tmp_path, (3, "checked", mark)).cells == ()


@pytest.mark.parametrize(
    "colour",
    [
        *(
            Color(rgb="FF92D050"),
            Color(rgb="FF00B050"),
            Color(rgb="FFC6EFCE"),
            Color(rgb="FFE2EFDA"),
        ),
        *(Color(rgb="FFDDE8CB"), Color(indexed=42), Color(theme=9, tint=0.6)),
    ],
)
def test_a_cell_filled_with_green_counts(tmp_path: Path, colour: Color) -> None:
    editor = Editor(written(tmp_path))
    if colour.type == "theme":
        editor.book.loaded_theme = THEME
    editor.cell("diploma", 2, "姓名").fill = PatternFill("solid", fgColor=colour)
    editor.cell("diploma", 3, "证书编号").fill = PatternFill("solid", fgColor=colour)

    corrected = read_corrected(editor.save(), SCHEMAS)

    assert said(corrected) == [
        ("a.jpg", 1, "姓名", "张三", "confirmed"),
        ("b.jpg", 1, "证书编号", None, "confirmed"),
    ]


THEME = (
    b'<a:theme xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" name="Office">'
    b'<a:themeElements><a:clrScheme name="Office">'
    b'<a:dk1><a:sysClr val="windowText" lastClr="000000"/></a:dk1>'
    b'<a:accent6><a:srgbClr val="70AD47"/></a:accent6>'
    b"</a:clrScheme></a:themeElements></a:theme>"
)
"""Of Office's own theme the last accent, which is a green."""


@pytest.mark.parametrize("colour", ["FFFFE699", "FFFFFF00", "FFEDEDED", "FF9DC3E6", "FFF4B6A6"])
def test_other_colours_say_nothing(tmp_path: Path, colour: str) -> None:
    editor = Editor(written(tmp_path))
    editor.cell("diploma", 2, "性别").fill = PatternFill("solid", fgColor=colour)
    assert read_corrected(editor.save(), SCHEMAS).cells == ()


def test_emptied_is_not_absent_unless_it_is_said(tmp_path: Path) -> None:
    corrected = edited(
        tmp_path,
        (2, "姓名", None),
        (3, "证书编号", "无"),
        (4, "毕业日期", "-"),
        (5, "证书编号", None),
        (5, "checked", "WL"),
    )

    values = {
        (c.document.path, c.document.page, c.field): (c.value, c.how) for c in corrected.cells
    }
    assert ("a.jpg", 1, "姓名") not in values
    assert values["b.jpg", 1, "证书编号"] == (None, How.CONFIRMED)
    assert values["c.pdf", 1, "毕业日期"] == (None, How.CHANGED)
    assert values["c.pdf", 2, "证书编号"] == (None, How.CHANGED)
    [problem] = corrected.problems
    assert problem.sentence.startswith("records.xlsx: sheet 'diploma', column C (姓名): emptied")
    assert problem.rows == (2,)


@pytest.mark.parametrize(
    ("heading", "value", "words"),
    [
        ("证书编号", 106131202505004931, "lost the last"),
        ("证书编号", "106131202505004000", "ends in zeros"),
        ("证书编号", "1.06131E+17", "scientific"),
        ("证书编号", "=1+1", "a formula"),
        ("证书编号", "#N/A", "an error"),
        ("性别", "不详", "type one of 男, 女"),
        ("毕业日期", "去年夏天", "type a date such as"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_place_and_not_taken(
    tmp_path: Path, heading: str, value: Any, words: str
) -> None:
    corrected = edited(tmp_path, (2, heading, value), (2, "checked", "WL"))

    assert heading not in {cell.field for cell in corrected.cells}
    assert len(corrected.cells) == 4
    [problem] = corrected.problems
    assert (problem.kind, problem.rows) == (ProblemKind.NOT_TAKEN, (2,))
    assert words in problem.message
    assert f"({heading})" in problem.message
    assert note_in(problem.message, "zh") != problem.message


def test_a_code_that_became_a_number_keeps_its_zeros_or_is_not_taken(tmp_path: Path) -> None:
    corrected = edited(tmp_path, (4, "证书编号", 123), (4, "checked", "x"))
    assert "证书编号" not in {cell.field for cell in corrected.cells}
    assert "leading zeros" in corrected.problems[0].message


@pytest.mark.parametrize(
    ("value", "number_format"),
    [
        (dt.datetime(2019, 6, 20), "yyyy/m/d"),
        (dt.datetime(2019, 6, 20), 'yyyy"年"m"月"'),
        (43636, "General"),
        ("2019-06-20", "@"),
    ],
)
def test_a_date_in_another_dress_is_no_change(
    tmp_path: Path, value: Any, number_format: str
) -> None:
    editor = Editor(written(tmp_path))
    cell = editor.cell("diploma", 2, "毕业日期")
    cell.value = value
    cell.number_format = number_format

    corrected = read_corrected(editor.save(), SCHEMAS)

    assert (corrected.cells, corrected.problems) == ((), ())


def test_a_typed_date_counts_and_the_first_of_a_month_is_told(tmp_path: Path) -> None:
    corrected = edited(
        tmp_path,
        (2, "毕业日期", dt.datetime(2019, 7, 1)),
        (3, "毕业日期", dt.datetime(2018, 7, 2)),
    )

    assert [(cell.value, cell.how) for cell in corrected.cells] == [
        ("2019-07-01", How.CHANGED),
        ("2018-07-02", How.CHANGED),
    ]
    [problem] = corrected.problems
    assert "'2019-06" in problem.message
    assert problem.rows == (2,)


def shuffled(sheet: Worksheet) -> None:
    """Rows sorted the other way round, one gone; columns moved, added, hidden and gone."""
    heads = [cell.value for cell in sheet[1]]
    body = [
        [(cell.value, cell.number_format) for cell in row] for row in sheet.iter_rows(min_row=2)
    ]
    kept = [i for i, head in enumerate(heads) if head not in ("notes", "to check")][::-1]
    sheet.delete_cols(1, sheet.max_column)
    sheet.insert_rows(1, 2)
    sheet["A1"] = "2026 届核对表"
    for column, index in enumerate(kept, start=3):
        sheet.cell(3, column).value = heads[index]
        for row, cells in enumerate(body[:0:-1], start=4):
            cell = sheet.cell(row, column)
            cell.value, cell.number_format = cells[index]
    sheet.cell(3, 1).value = "我的备注"
    sheet.column_dimensions["D"].hidden = True
    sheet.row_dimensions[5].hidden = True
    sheet.title = "张老师的表"


def test_sorted_filtered_renamed_and_rebuilt(tmp_path: Path) -> None:
    editor = Editor(written(tmp_path))
    editor.put(3, "性别", "男")
    editor.put(4, "checked", "WL")
    before = read_corrected(editor.save(), SCHEMAS)
    shuffled(editor.book["diploma"])

    after = read_corrected(editor.save(), SCHEMAS)

    assert said(after) == said(before)
    assert after.problems == ()
    assert (
        after.untouched == before.untouched - 4
    )  # of the row that is gone; one is on the sheet to check as well


def test_words_on_the_sheet_to_check_count_as_well(tmp_path: Path) -> None:
    editor = Editor(written(tmp_path))
    doubts = editor.book["to check"]
    assert [(row[0], row[2], row[3]) for row in doubts.iter_rows(min_row=2, values_only=True)] == [
        ("a.jpg", "姓名", "张三"),
        ("b.jpg", "证书编号", None),
    ]
    editor.put(2, "value", "张山", "to check")
    editor.put(3, "checked", "WL", "to check")
    # The row was marked before the correction was made elsewhere: the correction counts.
    editor.put(2, "checked", "WL")

    corrected = read_corrected(editor.save(), SCHEMAS)

    values = {(cell.document.path, cell.field): cell.value for cell in corrected.cells}
    assert values["a.jpg", "姓名"] == "张山"
    assert values["b.jpg", "证书编号"] is None
    assert len(values) == 6


def test_sheets_that_contradict_each_other_are_told(tmp_path: Path) -> None:
    editor = Editor(written(tmp_path))
    editor.put(2, "value", "张山", "to check")
    editor.put(2, "姓名", "张珊")
    corrected = read_corrected(editor.save(), SCHEMAS)
    assert corrected.cells == ()
    assert corrected.problems[0].kind is ProblemKind.CONTRADICTION
    assert "a.jpg, 姓名" in corrected.problems[0].message


def test_a_row_copied_below_counts_once_and_differing_copies_never(tmp_path: Path) -> None:
    editor = Editor(written(tmp_path))
    sheet = editor.book["diploma"]
    editor.put(2, "姓名", "张山")
    sheet.append([cell.value for cell in sheet[2]])
    assert len(read_corrected(editor.save(), SCHEMAS).cells) == 1
    editor.cell("diploma", sheet.max_row, "姓名").value = "张珊"
    assert read_corrected(editor.save(), SCHEMAS).cells == ()


def test_rows_that_name_no_document_of_the_file_are_told(tmp_path: Path) -> None:
    corrected = edited(
        tmp_path,
        (2, "document", "x.jpg"),
        (2, "checked", "WL"),
        (3, "document", None),
        (3, "checked", "WL"),
        (4, "page *", None),
        (4, "checked", "WL"),
    )
    assert corrected.cells == ()
    told = {problem.rows: problem.message for problem in corrected.problems}
    assert "'x.jpg': no document of the run" in told[2,]
    assert "no document is named" in told[3,]
    assert "several documents are of this file" in told[4,]


def test_a_heading_twice_is_read_neither_time(tmp_path: Path) -> None:
    editor = Editor(written(tmp_path))
    editor.book["diploma"].cell(1, 30).value = "姓名"
    editor.put(2, "姓名", "张山")
    corrected = read_corrected(editor.save(), SCHEMAS)
    assert corrected.cells == ()
    assert "all headed '姓名'" in corrected.problems[0].message


def test_what_was_verified_before_stays_that_persons_word(tmp_path: Path) -> None:
    verified = Decision(
        value="张三",
        status=Status.VERIFIED,
        confidence=0.995,
        reviewer="李",
        at=AT,
        experts=("human",),
    )
    records = [record("a.jpg", 姓名=verified, 性别="男")]
    path = tmp_path / "records.xlsx"
    write_workbook(path, records, [DIPLOMA])

    [cell] = read_corrected(path, SCHEMAS).cells
    assert (cell.field, cell.how, cell.reviewer, cell.at) == ("姓名", How.VERIFIED, "李", AT)

    editor = Editor(path)
    editor.put(2, "checked", "王", "documents")
    by_name = {cell.field: cell for cell in read_corrected(editor.save(), SCHEMAS).cells}
    assert (by_name["姓名"].how, by_name["姓名"].reviewer) == (How.CONFIRMED, "王")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_both_languages_come_back(tmp_path: Path, language: Language) -> None:
    editor = Editor(written(tmp_path, language))
    heads = {"en": "checked", "zh": "已核对"}
    editor.put(3, heads[language], "WL")
    editor.put(2, "名称", "另一公司", "licence")
    corrected = read_corrected(editor.save(), SCHEMAS)
    assert len(corrected.cells) == 6
    assert corrected.columns == {"diploma": DIPLOMA.names, "licence": LICENCE.names}


def test_a_sheet_copied_out_counts_by_its_marks_alone_or_by_the_run(tmp_path: Path) -> None:
    editor = Editor(written(tmp_path))
    editor.put(2, "姓名", "张山")
    editor.put(3, "checked", "WL")
    for name in ("written", "choices"):
        del editor.book[name]
    path = editor.save()

    corrected = read_corrected(path, SCHEMAS)
    assert {cell.document.path for cell in corrected.cells} == {"b.jpg"}
    assert "does not say what was written" in corrected.problems[0].message

    material = gather({"moe": RECORDS}, SCHEMAS, read_truths([path]))
    [match] = material.matches
    assert {key.path: len(cells.cells) for key, cells in ((d.key, d) for d in match.documents)} == {
        "a.jpg": 1,
        "b.jpg": 5,
    }


def test_what_another_run_read_differently_nobody_changed(tmp_path: Path) -> None:
    editor = Editor(written(tmp_path))
    del editor.book["written"]
    editor.put(3, "checked", "WL")
    truths = read_truths([editor.save()])
    other = [
        each.model_copy(
            update={
                "fields": {
                    name: decision.model_copy(update={"value": "别的", "confidence": 0.97})
                    for name, decision in each.fields.items()
                }
            }
        )
        for each in RECORDS
    ]

    [match] = gather({"moe": other}, SCHEMAS, truths).matches

    assert {document.key.path for document in match.documents} == {"b.jpg"}
    assert any("another run" in problem.message for problem in match.truth.problems)


def test_a_run_is_scored_on_what_was_checked_of_every_schema(tmp_path: Path) -> None:
    editor = Editor(written(tmp_path))
    editor.put(5, "checked", "WL")
    editor.put(2, "checked", "WL", "licence")
    editor.put(3, "名称", "大商店", "licence")

    material = gather({"moe": RECORDS}, SCHEMAS, read_truths([editor.save()]))

    found = {
        match.truth.schema.name: {
            document.key: dict(document.cells) for document in match.documents
        }
        for match in material.matches
    }
    assert {name: sum(map(len, documents.values())) for name, documents in found.items()} == {
        "diploma": 4,  # of the second page of its file
        "licence": 3,
    }
    assert [key.page for key in found["diploma"]] == [2]
    sentences = [p.sentence for match in material.matches for p in match.truth.problems]
    assert sentences == [
        "records.xlsx: 7 cells were checked (1 changed, 6 confirmed), 16 untouched ones do not count"
    ]
    assert not any(match.rows_without_document for match in material.matches)


def store_of(tmp_path: Path, records: Sequence[Record] = RECORDS) -> Store:
    store = Store(tmp_path / "store.sqlite")
    store.put_records([row_of(each) for each in records])
    return store


def test_judgements_of_a_workbook_and_the_same_file_again(tmp_path: Path) -> None:
    editor = Editor(written(tmp_path))
    editor.put(2, "姓名", "张山")
    editor.put(2, "checked", "WL", "licence")
    path = editor.save()
    with store_of(tmp_path) as store:
        taken = judgements_in(path, store, SCHEMAS, "张老师", AT)

        assert [
            (document.path, judgement.field, judgement.value, judgement.reviewer)
            for document, judgement in taken.judgements
        ] == [
            ("a.jpg", "姓名", "张山", "张老师"),
            ("l.jpg", "type", "有限", "WL"),
            ("l.jpg", "名称", "公司", "WL"),
        ]
        first = taken.judgements[0][1]
        assert (first.via, first.at, first.kind) == ("records.xlsx", AT, JudgementKind.VALUE)
        assert first.shown is not None
        assert (first.shown.value, first.shown.confidence, first.shown.status) == (
            "张三",
            0.6,
            Status.ABSTAINED,
        )
        for document, judgement in taken.judgements:
            store.put_judgement(document, judgement)
        again = judgements_in(path, store, SCHEMAS, "张老师", LATER)
        assert (again.judgements, again.known) == ((), 3)

        # What the person says at the desk since then is not undone by the old file.
        document = RECORDS[0].document
        later = Judgement(field="姓名", value="张三", reviewer="张老师", at=LATER)
        store.put_judgement(document, later)
        assert judgements_in(path, store, SCHEMAS, "张老师", LATER).judgements == ()
        # Another person's word is one of its own.
        assert len(judgements_in(path, store, SCHEMAS, "李老师", LATER).judgements) == 1


def test_judgements_on_what_is_no_longer_there_are_told(tmp_path: Path) -> None:
    editor = Editor(written(tmp_path))
    for row in (2, 3):
        editor.put(row, "checked", "WL")
    editor.put(3, "checked", "WL", "licence")
    path = editor.save()
    changed = RECORDS[0].model_copy(
        update={"document": RECORDS[0].document.model_copy(update={"sha256": "other"})}
    )
    retyped = RECORDS[5].model_copy(update={"schema_name": "diploma"})
    with store_of(tmp_path, [changed, retyped]) as store:
        taken = judgements_in(path, store, SCHEMAS, "WL", AT)
    assert taken.judgements == ()
    told = "; ".join(problem.message for problem in taken.problems)
    for words in (
        "a.jpg: the file is another one",
        "b.jpg: the run has no",
        "m.jpg: a diploma now",
    ):
        assert words in told
    in_chinese = "；".join(problem.told("zh") for problem in taken.problems)
    for words in ("a.jpg：文件已不是", "b.jpg：本次运行中没有", "m.jpg：文档现在的种类是 diploma"):
        assert words in in_chinese


def test_one_file_under_two_names_has_one_answer(tmp_path: Path) -> None:
    twins = [
        record(path, 姓名="张三", 性别="男").model_copy(
            update={"document": DocumentRef(path=path, sha256="same")}
        )
        for path in ("a.jpg", "b.jpg")
    ]
    path = tmp_path / "records.xlsx"
    write_workbook(path, twins, [DIPLOMA])
    editor = Editor(path)
    for row, name in ((2, "张山"), (3, "张珊")):
        editor.put(row, "姓名", name, "documents")
        editor.put(row, "checked", "WL", "documents")
    with store_of(tmp_path, twins) as store:
        taken = judgements_in(editor.save(), store, SCHEMAS, "WL", AT)
    assert [(judgement.field, judgement.value) for _, judgement in taken.judgements] == [
        ("性别", "男")
    ]
    assert "is the same file and says something else" in taken.problems[0].message


def test_a_file_again_on_part_of_a_page(tmp_path: Path) -> None:
    part = DocumentRef(path="a.jpg", sha256="s", part=1, region=(1 / 3, 1 / 7, 2 / 3, 6 / 7))
    records = [record("a.jpg", 姓名="张三").model_copy(update={"document": part})]
    path = tmp_path / "records.xlsx"
    write_workbook(path, records, [DIPLOMA])
    editor = Editor(path)
    editor.put(2, "姓名", "张山", "documents")
    path = editor.save()
    with store_of(tmp_path, records) as store:
        [(document, judgement)] = judgements_in(path, store, SCHEMAS, "WL", AT).judgements
        store.put_judgement(document, judgement)
        again = judgements_in(path, store, SCHEMAS, "WL", LATER)
    assert (again.judgements, again.known) == ((), 1)


def test_what_is_no_records_workbook_is_refused(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["文件名", "姓名"])
    book.save(tmp_path / "verified.xlsx")
    with pytest.raises(TruthError, match=r"verified\.xlsx: not a records\.xlsx"):
        read_corrected(tmp_path / "verified.xlsx", SCHEMAS)


@pytest.mark.parametrize(
    "spoilt",
    [
        *('{"姓名": 5', "[]", '{"姓名": 5}', '{"姓名": [5, "accepted", 0.5]}'),
        *('{"姓名": ["a", "fine", 0.5]}', '{"姓名": ["a", "accepted", 7]}', "[" * 100_000),
    ],
)
def test_a_hidden_sheet_that_somebody_spoilt_costs_its_rows_only(
    tmp_path: Path, spoilt: str
) -> None:
    editor = Editor(written(tmp_path))
    sheet = editor.book["written"]
    sheet["G2"] = spoilt[:32_000]
    sheet["B3"] = "9" * 5000
    editor.put(2, "checked", "WL")
    editor.put(4, "姓名", "王武")
    corrected = read_corrected(editor.save(), SCHEMAS)
    assert said(corrected) == [("c.pdf", 1, "姓名", "王武", "changed")]
    assert any("'a.jpg'" in problem.message for problem in corrected.problems)


OFFICE = shutil.which("soffice") or shutil.which("libreoffice")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """Opens a workbook in LibreOffice and saves it anew."""
    profile = tmp_path_factory.mktemp("profile")

    def save_again(path: Path) -> Path:
        out = path.parent / "again"
        subprocess.run(
            [
                *(str(OFFICE), f"-env:UserInstallation={profile.as_uri()}", "--headless"),
                *("--convert-to", "xlsx", "--outdir", str(out), str(path)),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
        return out / path.name

    return save_again


@pytest.mark.slow
@pytest.mark.skipif(OFFICE is None, reason="LibreOffice is not installed")
def test_saved_by_libreoffice(tmp_path: Path, office: Callable[[Path], Path]) -> None:
    untouched = read_corrected(office(written(tmp_path, "zh")), SCHEMAS)
    assert (untouched.cells, untouched.untouched, untouched.problems) == ((), CELLS, ())

    editor = Editor(written(tmp_path, "zh"))
    editor.put(2, "毕业日期", dt.datetime(2019, 6, 21))
    editor.put(3, "姓名", "李斯")
    editor.cell("diploma", 4, "证书编号").fill = GREEN
    editor.put(5, "已核对", "WL")
    before = read_corrected(editor.save(), SCHEMAS)

    after = read_corrected(office(tmp_path / "records.xlsx"), SCHEMAS)

    assert said(after) == said(before)
    assert len(after.cells) == 7
    assert after.problems == before.problems


@pytest.mark.slow
def test_from_the_command_line_and_back(tmp_path: Path, ocr_moe: Command) -> None:
    shutil.copy(PAGES, tmp_path / "pages.jsonl")
    files = scans(tmp_path / "scans", *FIRST)
    out = tmp_path / "run"
    chinese = {"OCR_MOE_LANGUAGE": "zh"}
    done = ocr_moe(
        *("extract", files, "--schema", "graduation_certificate", "--strategy", "rules"),
        *("--ocr", tmp_path / "pages.jsonl", "--out", out),
        env=chinese,
    )
    assert done.status == 0, done.err
    editor = Editor(out / "records.xlsx")
    assert editor.book.sheetnames[:2] == ["摘要", "文档"]
    document = editor.book["文档"]["A2"]
    assert document.hyperlink.target.lower().endswith(document.value.lower())
    editor.put(2, "已核对", "王磊", "文档")
    editor.put(2, "姓名", "某某", "文档")
    editor.put(2, "证书编号", 106131202505004931, "文档")
    editor.save()

    done = ocr_moe("evaluate", out, "--truth", out / "records.xlsx", env=chinese)

    assert done.status == 0, done.err
    assert "已核对 7 个单元格（改动 1 个，确认 6 个）" in done.out
    assert "（证书编号）：超过 15 位的数字" in done.out

    told = ("export", out, "--records", tmp_path / "crops.xlsx", "--format", "xlsx")
    assert ocr_moe(*told, "--crops").status == 0
    sheet = openpyxl.load_workbook(tmp_path / "crops.xlsx")["to check"]
    with Store(out / "store.sqlite", write=False) as store:
        seen = [
            decision.evidence is not None
            for each in store.records("rules")
            for decision in each.fields.values()
            if decision.status is Status.ABSTAINED
        ]
    assert len(sheet._images) == sum(seen)
    assert sum(seen) > 0
    shutil.rmtree(files)
    assert ocr_moe(*told, "--crops").status == 0
    assert not openpyxl.load_workbook(tmp_path / "crops.xlsx")["to check"]._images
    wrong = ocr_moe("export", out, "--records", tmp_path / "r.jsonl", "--crops")
    assert wrong.status == 2
    assert "--format xlsx" in wrong.err

"""A person's word on a table: cell by cell, in records.xlsx, in sheets of rows, in verified.xlsx."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.styles import PatternFill

from ocr_moe.evaluation.evaluate import evaluate
from ocr_moe.evaluation.material import gather
from ocr_moe.evaluation.truth.corrected import CheckedTable, How, read_corrected
from ocr_moe.evaluation.truth.rowsets import Placed, UnclearError, placed
from ocr_moe.evaluation.truth.truthset import read_truths
from ocr_moe.exports.jsonl import record_from_json, record_to_json
from ocr_moe.exports.stored import record_data
from ocr_moe.exports.template import write_prefilled, write_template
from ocr_moe.exports.verified import write_verified
from ocr_moe.exports.workbook import write_workbook
from ocr_moe.formats.notes import note_in
from ocr_moe.formats.recordbook import (
    DocumentId,
    WrittenCell,
    WrittenDocument,
    WrittenTable,
    read_written,
    written_rows,
)
from ocr_moe.judgements import Verdict, verdicts_of
from ocr_moe.reviewing.checking import check
from ocr_moe.reviewing.sheets import words_in
from ocr_moe.reviewing.workbooks import judgements_in
from ocr_moe.routing.tables import judged_table
from ocr_moe.schema import Field, Schema, load_schema
from ocr_moe.store.database import Store, row_of
from ocr_moe.types import (
    Decision,
    DocumentRef,
    Evidence,
    Judgement,
    Record,
    Status,
)
from ocr_moe.values.tables import table_text
from tests.conftest import ROOT

TRANSCRIPT = load_schema(ROOT / "tests" / "data" / "transcript.yaml")
COURSES = TRANSCRIPT.field("课程")
NAMES = [column.name for column in COURSES.columns]
AT = "2026-11-28T00:00:00+00:00"
ROWS = [
    ("1", "高等数学", "5", "88", None),
    ("2", "结构力学", "4", "91", None),
    ("3", "工程测量", "3", "优", None),
]


def rows_of(rows: Sequence[Sequence[str | None]]) -> list[dict[str, str | None]]:
    return [dict(zip(NAMES, row, strict=True)) for row in rows]


def said(rows: Sequence[Sequence[str | None]]) -> str:
    return str(table_text(rows_of(rows)))


def read(rows: Sequence[Sequence[str | None]] = ROWS) -> Decision:
    """A table as it was read: every cell in a place of its own, the grade of the second row unsure."""
    made = []
    for index, row in enumerate(rows_of(rows)):
        cells = {}
        for at, (name, value) in enumerate(row.items()):
            box = (0.1 * at, 0.1 * index, 0.1 * at + 0.05, 0.1 * index + 0.05)
            unsure = (index, name) == (1, "成绩")
            status = Status.ABSTAINED if unsure else Status.ACCEPTED
            cells[name] = Decision(
                value=value,
                confidence=0.6 if unsure else 0.99,
                status=status if value else Status.ABSENT,
                evidence=Evidence(box=box, text=value) if value else None,
            )
        made.append(cells)
    return Decision(
        value=said(rows), confidence=0.6, status=Status.ABSTAINED, experts=("rules",), rows=(*made,)
    )


def record(path: str = "a.jpg", rows: Sequence[Sequence[str | None]] = ROWS) -> Record:
    return Record(
        document=DocumentRef(path=path, sha256=path),
        schema_name="transcript",
        strategy="moe",
        fields={
            "姓名": Decision(value="陈思远", confidence=0.99, status=Status.ACCEPTED),
            "课程": read(rows),
        },
    )


# What was said, over what was read.


def test_a_word_on_a_table_keeps_the_places_of_its_cells() -> None:
    changed = [("2", "结构力学", "4", "97", None), ("3", "工程测量", "3", "优", None)]
    table = judged_table(COURSES, read(), Verdict(said(changed), "li", AT))
    assert (table.status, table.reviewer) == (Status.VERIFIED, "li")
    cell = table.rows[0]["成绩"]
    before = read().rows[1]["成绩"].evidence
    assert (cell.value, cell.evidence, cell.notes) == ("97", before, ("was 91",))
    assert note_in(table.notes[0], "zh") == "原为 3 行的表格"


def test_a_word_on_some_cells_leaves_the_others_as_they_were_read() -> None:
    changed = [*ROWS]
    changed[0] = ("1", "高等数学", "5.5", "88", None)
    verdict = Verdict(said(changed), "li", AT, cells=((0, "学分"),))
    table = judged_table(COURSES, read(), verdict)
    assert (table.status, table.reviewer) == (Status.ABSTAINED, None)
    assert table.rows[0]["学分"].status is Status.VERIFIED
    assert table.rows[1]["成绩"] == read().rows[1]["成绩"]

    # With the doubtful one, nothing is left for a person.
    both = Verdict(said(changed), "li", AT, cells=((0, "学分"), (1, "成绩")))
    table = judged_table(COURSES, read(), both)
    assert table.status is Status.ACCEPTED
    assert table.rows[0]["课程名称"].status is Status.ACCEPTED


def test_where_two_people_differ_on_a_table_the_cells_say_so() -> None:
    other = [*ROWS]
    other[2] = ("3", "工程测量", "3", "良", None)
    given = [
        Judgement(field="课程", value=said(ROWS), reviewer="li", at=AT),
        Judgement(field="课程", value=said(other), reviewer="wu", at=AT, independent=True),
    ]
    table = judged_table(COURSES, read(), verdicts_of(given)["课程"])
    assert table.status is Status.ABSTAINED
    assert table.notes == (
        "reviewers differ: li says a table of 3 rows; wu says a table of 3 rows",
    )
    open_cells = [
        (index, name)
        for index, row in enumerate(table.rows)
        for name, cell in row.items()
        if cell.status is not Status.VERIFIED
    ]
    assert open_cells == [(2, "成绩")]


def test_a_cell_that_cannot_be_held_is_told_and_not_dropped() -> None:
    table = Field.model_validate(
        {
            "name": "t",
            "kind": "table",
            "columns": [{"name": "day", "kind": "date"}, {"name": "what", "kind": "text"}],
        }
    )
    found = check(table, json.dumps([{"day": "2019年6月20日"}, {"day": "soon", "what": "x"}]))
    assert found.value is None
    assert found.refusal is not None
    assert found.refusal.values == {"row": 2, "column": "day"}
    assert found.cells[0, "day"].value == "2019-06-20"
    good = check(table, json.dumps([{"day": "2019年6月20日"}, {}, {"day": "2019-06-21"}]))
    assert good.value == '[{"day":"2019-06-20"},{"day":"2019-06-21"}]'
    assert check(table, "[]").refusal is not None


def test_a_verified_cell_tells_whose_word_it_is_in_every_file() -> None:
    verdict = Verdict(said(ROWS), "li", AT, cells=((1, "成绩"),))
    made = record().model_copy(
        update={"fields": {**record().fields, "课程": judged_table(COURSES, read(), verdict)}}
    )
    data = record_to_json(made)
    assert record_data(made.model_dump_json().encode()) == data
    cells = data["fields"]["课程"]["value"][1]
    assert (cells["成绩"]["reviewer"], cells["成绩"]["at"]) == ("li", AT)
    assert "reviewer" not in cells["学分"]
    assert record_to_json(record_from_json(data)) == data


# Which row is which.


@pytest.mark.parametrize(
    ("numbers", "changed", "expected"),
    [
        ([1, 2, 3], (), [1, 2, 3]),
        ([1, 3], (), [1, 3]),
        ([1, None, 2, 3], (), [1, None, 2, 3]),
        ([3, 1, 2], (), [1, 2, 3]),  # sorted by another column
        ([1, 2, 2, 3], (2,), [1, 2, None, 3]),  # copied, and the copy changed
        ([3, 2, 1, 4, 5], (), [1, 2, 3, None, None]),  # sorted, new rows numbered on
    ],
)
def test_rows_are_known_by_their_numbers(
    numbers: list[int | None], changed: tuple[int, ...], expected: list[int | None]
) -> None:
    found = placed(numbers, {1, 2, 3}, lambda index, _: index not in changed)
    assert [each.number for each in found] == expected


@pytest.mark.parametrize("numbers", [[3, 1, None, 2], [1, 2, 2, 3], [3, 1, 2, 4, 4]])
def test_what_cannot_be_told_of_rows_is_not_guessed(numbers: list[int | None]) -> None:
    with pytest.raises(UnclearError):
        placed(numbers, {1, 2, 3}, lambda index, number: index == number + 10)


def test_a_row_whose_number_went_astray_is_known_by_what_it_says() -> None:
    found = placed([1, None, 3], {1, 2, 3}, lambda index, number: index + 1 == number)
    assert found == [Placed(0, 1), Placed(1, 2), Placed(2, 3)]


# records.xlsx


def heads(sheet: Any) -> dict[str, int]:
    return {cell.value: cell.column for cell in sheet[1]}


def corrected(
    tmp_path: Path, change: Callable[[Any, dict[str, int]], None], *records: Record
) -> tuple[dict[str, CheckedTable], list[str]]:
    """Path → what a workbook says of the table once `change` was done to its sheet; and its problems."""
    file = tmp_path / "records.xlsx"
    write_workbook(file, [*records] or [record()], [TRANSCRIPT])
    book = openpyxl.load_workbook(file)
    change(book["课程"], heads(book["课程"]))
    book.save(file)
    found = read_corrected(file, [TRANSCRIPT])
    return {t.document.path: t for t in found.tables}, [p.message for p in found.problems]


def test_a_changed_cell_of_a_row_is_a_checked_one(tmp_path: Path) -> None:
    def change(sheet: Any, at: dict[str, int]) -> None:
        sheet.cell(3, at["成绩"]).value = "97"

    found, problems = corrected(tmp_path, change)
    table = found["a.jpg"]
    assert problems == []
    assert [dict(row.checked) for row in table.rows] == [{}, {"成绩": How.CHANGED}, {}]
    assert table.rows[1].cells["成绩"] == "97"
    assert (table.how, table.whole, table.was) == (How.CHANGED, False, said(ROWS))


def test_a_workbook_in_chinese_is_read_back_as_well(tmp_path: Path) -> None:
    file = tmp_path / "records.xlsx"
    write_workbook(file, [record()], [TRANSCRIPT], language="zh")
    book = openpyxl.load_workbook(file)
    sheet = book["课程"]
    at = heads(sheet)
    sheet.cell(2, at["学分"]).value = "6"
    sheet.cell(4, at["已核对"]).value = "李"
    sheet.delete_rows(3)
    book.save(file)
    [table] = read_corrected(file, [TRANSCRIPT]).tables
    assert [row.cells["课程名称"] for row in table.rows] == ["高等数学", "工程测量"]
    assert table.rows[0].checked == {"学分": How.CHANGED}
    assert table.rows[1].checked.keys() == {*NAMES}


def test_a_copy_of_a_sheet_counts_by_its_marks_alone(tmp_path: Path) -> None:
    file = tmp_path / "records.xlsx"
    write_workbook(file, [record()], [TRANSCRIPT])
    book = openpyxl.load_workbook(file)
    sheet = book["课程"]
    at = heads(sheet)
    sheet.cell(2, at["成绩"]).value = "61"
    sheet.cell(3, at["checked"]).value = "li"
    del book["written"]
    book.save(file)
    found = read_corrected(file, [TRANSCRIPT])
    [table] = found.tables
    assert [dict(row.checked) for row in table.rows] == [
        {},
        dict.fromkeys(NAMES, How.CONFIRMED),
        {},
    ]
    assert table.written is None
    assert any("does not say what was written" in each.message for each in found.problems)


def test_rows_of_an_earlier_version_are_nobodys_word(tmp_path: Path) -> None:
    file = tmp_path / "records.xlsx"
    write_workbook(file, [record()], [TRANSCRIPT])
    book = openpyxl.load_workbook(file)
    written = book["written"]
    assert "课程" not in str(written.cell(2, 7).value)
    written.delete_rows(3, 10)  # the rows of tables were not written there
    book.save(file)
    found = read_corrected(file, [TRANSCRIPT])
    assert found.tables == ()
    assert any("earlier version" in each.message for each in found.problems)


def test_rows_can_be_inserted_and_deleted(tmp_path: Path) -> None:
    def change(sheet: Any, at: dict[str, int]) -> None:
        sheet.delete_rows(2)
        sheet.insert_rows(3)  # without the document's name, between its rows
        for name, value in {"课程名称": "材料力学", "学分": 2.5, "成绩": 77}.items():
            sheet.cell(3, at[name]).value = value

    found, problems = corrected(tmp_path, change, record(), record("b.jpg"))
    assert problems == []
    assert found.keys() == {"a.jpg"}
    names = [row.cells["课程名称"] for row in found["a.jpg"].rows]
    assert names == ["结构力学", "材料力学", "工程测量"]
    new = found["a.jpg"].rows[1]
    # What is not there in a new row is absent, where it may be.
    assert new.cells == {
        "序号": None,
        "课程名称": "材料力学",
        "学分": "2.5",
        "成绩": "77",
        "学期": None,
    }
    assert new.checked.keys() == new.cells.keys()


def test_marks_and_green_confirm_rows_and_cells(tmp_path: Path) -> None:
    def change(sheet: Any, at: dict[str, int]) -> None:
        sheet.cell(2, at["checked"]).value = "李"
        sheet.cell(3, at["成绩"]).fill = PatternFill("solid", fgColor="92D050")

    table = corrected(tmp_path, change)[0]["a.jpg"]
    assert table.rows[0].checked == dict.fromkeys(NAMES, How.CONFIRMED)
    assert table.rows[1].checked == {"成绩": How.CONFIRMED}
    assert (table.changed, table.reviewer, table.how) == (False, "李", How.CONFIRMED)


def test_a_sorted_sheet_is_the_same_table(tmp_path: Path) -> None:
    def change(sheet: Any, at: dict[str, int]) -> None:
        rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
        for number, row in enumerate(sorted(rows, key=lambda row: str(row[4])), 2):
            for column, value in enumerate(row, 1):
                sheet.cell(number, column).value = value
        sheet.cell(2, at["checked"]).value = "李"

    found, problems = corrected(tmp_path, change, record(), record("b.jpg"))
    assert problems == []
    [table] = found.values()
    assert table.value == said(ROWS)
    assert not table.changed


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda sheet, at: sheet.delete_rows(2, 3), "no row is left of a.jpg"),
        (lambda sheet, at: sheet.delete_cols(at["row"]), "the column of row numbers is gone"),
        (lambda sheet, at: setattr(sheet.cell(2, at["成绩"]), "value", None), "emptied"),
        (lambda sheet, at: setattr(sheet.cell(3, at["row"]), "value", 1), "which of them is new"),
        (lambda sheet, at: setattr(sheet.cell(2, at["document"]), "value", "x.jpg"), "x.jpg"),
    ],
)
def test_what_is_unclear_is_told_in_both_languages(
    tmp_path: Path, change: Callable[[Any, dict[str, int]], None], told: str
) -> None:
    def both_changed(sheet: Any, at: dict[str, int]) -> None:
        if told == "which of them is new":
            for row in (2, 3):
                sheet.cell(row, at["学分"]).value = "9"
        change(sheet, at)

    found, problems = corrected(tmp_path, both_changed)
    [problem] = [each for each in problems if told in each]
    assert any("\u4e00" <= char <= "\u9fff" for char in note_in(problem, "zh").replace("课程", ""))
    if told != "x.jpg":
        assert found == {}


def test_a_document_without_the_table_is_one_with_无_in_every_cell(tmp_path: Path) -> None:
    def change(sheet: Any, at: dict[str, int]) -> None:
        sheet.delete_rows(3, 2)
        for name in NAMES:
            sheet.cell(2, at[name]).value = "无"

    table = corrected(tmp_path, change)[0]["a.jpg"]
    assert (table.rows, table.value, table.whole) == ((), None, True)


def test_untouched_rows_are_nobodys_word(tmp_path: Path) -> None:
    found, problems = corrected(tmp_path, lambda sheet, at: None, record(), record("b.jpg"))
    assert (found, problems) == ({}, [])


def test_what_was_written_of_long_tables_is_read_again() -> None:
    cell = WrittenCell("长" * 40, "accepted", 0.5)
    checked = WrittenCell(None, "verified", 0.9, "李", AT)
    rows = {number: {"a": cell, "b": checked} for number in range(1, 1200)}
    table = WrittenTable("abstained", 0.5, None, None, rows)
    what = WrittenDocument("h", "s", "moe", {"x": cell}, {"t": table, "课": table})
    document = DocumentId("a.jpg", 1, 1)
    lines = [[str(each) for each in row] for row in written_rows(document, what)]
    assert len(lines) > 3
    assert max(len(line[-1]) for line in lines) <= 30_000
    assert read_written(lines) == {document: what}


# Words for the desk.


def test_a_corrected_sheet_of_rows_is_a_word_on_some_cells(tmp_path: Path) -> None:
    def change(sheet: Any, at: dict[str, int]) -> None:
        sheet.cell(3, at["成绩"]).value = "97"

    corrected(tmp_path, change)
    file = tmp_path / "records.xlsx"
    with Store(tmp_path / "store.sqlite") as store:
        store.put_records([row_of(record())])
        taken = judgements_in(file, store, [TRANSCRIPT], "li", AT)
        [(document, judgement)] = taken.judgements
        assert judgement.cells == ((1, "成绩"),)
        assert judgement.shown is not None
        assert judgement.shown.value == said(ROWS)
        store.put_judgement(document, judgement)
        again = judgements_in(file, store, [TRANSCRIPT], "li", AT)
        assert (again.judgements, again.known) == ((), 1)

        # Since then somebody said something else of the whole table: nothing of it is taken back.
        other = Judgement(field="课程", value=said(ROWS[:2]), reviewer="wu", at=AT)
        store.put_judgement(document, other)
        book = openpyxl.load_workbook(file)
        book["课程"].cell(2, heads(book["课程"])["学分"]).value = "6"
        book.save(file)
        late = judgements_in(file, store, [TRANSCRIPT], "li", AT)
        assert late.judgements == ()
        assert any("somebody corrected the table since" in each.message for each in late.problems)


def test_every_row_marked_is_a_word_on_the_whole_table(tmp_path: Path) -> None:
    def change(sheet: Any, at: dict[str, int]) -> None:
        for row in (2, 3, 4):
            sheet.cell(row, at["checked"]).value = "wu"

    corrected(tmp_path, change)
    with Store(tmp_path / "store.sqlite") as store:
        store.put_records([row_of(record())])
        taken = judgements_in(tmp_path / "records.xlsx", store, [TRANSCRIPT], "li", AT)
    [(_, judgement)] = taken.judgements
    assert (judgement.cells, judgement.reviewer, judgement.value) == (None, "wu", said(ROWS))


# Sheets of rows: verified.xlsx and templates.


def verified_record() -> Record:
    rows = [ROWS[0], ("2", "结构力学", "4", "97", None), ("4", "材料力学", "2", "80", None)]
    table = judged_table(COURSES, read(), Verdict(said(rows), "li", AT))
    return record().model_copy(update={"fields": {**record().fields, "课程": table}})


def scores_of(tmp_path: Path, file: Path, made: Record) -> Any:
    material = gather({"moe": [made]}, [TRANSCRIPT], read_truths([file]))
    return evaluate(material, tmp_path / "out").strategies["moe"].tables["课程"]


def test_a_verified_table_stands_in_verified_xlsx(tmp_path: Path) -> None:
    file = tmp_path / "verified.xlsx"
    write_verified(file, [verified_record(), record("b.jpg")], [TRANSCRIPT], [])
    sheet = openpyxl.load_workbook(file)["课程"]
    rows = [row[:1] + row[3:] for row in sheet.iter_rows(min_row=2, values_only=True)]
    assert [row[0] for row in rows] == ["a.jpg"] * 3
    assert rows[1][1:] == ("2", "结构力学", "4", "97", "无")
    right = scores_of(tmp_path, file, verified_record())
    assert (right.accuracy, right.rows_right, right.rows_extra, right.n) == (1.0, 3, 0, 15)
    as_read = scores_of(tmp_path, file, record())
    assert (as_read.rows_missing, as_read.rows_extra, as_read.wrong) == (1, 1, 1)


def test_that_a_document_has_no_table_is_verified_too(tmp_path: Path) -> None:
    absent = judged_table(COURSES, read(), Verdict(None, "li", AT))
    made = record().model_copy(update={"fields": {**record().fields, "课程": absent}})
    file = tmp_path / "verified.xlsx"
    write_verified(file, [made], [TRANSCRIPT], [])
    assert scores_of(tmp_path, file, record()).rows_extra == 3
    assert scores_of(tmp_path, file, made).perfect == 1.0


def test_corrected_records_are_truth_for_their_rows(tmp_path: Path) -> None:
    def change(sheet: Any, at: dict[str, int]) -> None:
        sheet.cell(3, at["成绩"]).value = "97"
        sheet.delete_rows(4)

    corrected(tmp_path, change)
    found = scores_of(tmp_path, tmp_path / "records.xlsx", record())
    # One cell was checked, a row is none; of the row that nobody looked at nothing is said.
    assert (found.n, found.wrong, found.rows, found.rows_extra) == (1, 1, 1, 1)
    told = json.loads((tmp_path / "out" / "scores.json").read_text(encoding="utf-8"))["problems"]
    assert any("1 cells were checked (1 changed" in each["message"] for each in told)


def enums() -> Schema:
    columns = [{"name": "级别", "kind": "enum", "values": ["甲", "乙"]}, {"name": "名称"}]
    return Schema.model_validate(
        {
            "name": "s",
            "fields": [{"name": "姓名"}, {"name": "奖项", "kind": "table", "columns": columns}],
        }
    )


def test_a_template_has_a_sheet_a_table(tmp_path: Path) -> None:
    file = tmp_path / "empty.xlsx"
    write_template(file, enums())
    book = openpyxl.load_workbook(file)
    sheet = book["奖项"]
    assert [cell.value for cell in sheet[1]] == ["document", "级别", "名称"]
    [choice] = sheet.data_validations.dataValidation
    assert str(choice.sqref).startswith("B2")
    for row in (("a.jpg", "甲", "x"), (None, "乙", "无")):
        sheet.append(row)
    book.save(file)
    rows = [
        {name: Decision(value=value, status=Status.ACCEPTED) for name, value in each.items()}
        for each in ({"级别": "甲", "名称": "x"}, {"级别": "乙", "名称": None})
    ]
    text = table_text({n: c.value for n, c in row.items()} for row in rows)
    made = Record(
        document=DocumentRef(path="a.jpg", sha256="h"),
        schema_name="s",
        strategy="moe",
        fields={"奖项": Decision(value=text, status=Status.ACCEPTED, rows=(*rows,))},
    )
    material = gather({"moe": [made]}, [enums()], read_truths([file]))
    found = evaluate(material, tmp_path / "out").strategies["moe"].tables["奖项"]
    assert (found.n, found.right, found.perfect) == (4, 4, 1.0)


def test_a_filled_in_template_of_a_run_counts_where_it_is_marked(tmp_path: Path) -> None:
    file = tmp_path / "check.xlsx"
    write_prefilled(file, [record(), record("b.jpg")], [TRANSCRIPT])
    book = openpyxl.load_workbook(file)
    sheet = book["课程"]
    at = heads(sheet)
    assert sheet.cell(3, at["成绩"]).value is None  # not sure, so left empty
    assert "91" in sheet.cell(3, at["成绩"]).comment.text
    sheet.cell(3, at["成绩"]).value = "97"
    sheet.cell(3, at["checked"]).value = "li"
    sheet.cell(2, at["checked"]).value = "li"
    book["transcript"].cell(2, heads(book["transcript"])["checked"]).value = "li"
    book.save(file)
    found = scores_of(tmp_path, file, record())
    # The third row is unmarked: it is known to be there, and nothing of it is scored.
    assert (found.n_documents, found.rows, found.wrong, found.rows_extra) == (1, 2, 1, 0)
    with Store(tmp_path / "store.sqlite") as store:
        store.put_records([row_of(record()), row_of(record("b.jpg"))])
        taken = words_in(file, store, "moe", [TRANSCRIPT], "li", AT)
    [word] = [each for _, each in taken.judgements if each.field == "课程"]
    assert word.cells is not None
    assert {index for index, _ in word.cells} == {0, 1}
    assert json.loads(word.value or "")[1]["成绩"] == "97"

"""Tables: declared in schemas, read off pages, decided cell by cell, written, and scored by rows."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import openpyxl
import orjson
import pytest

from ocr_moe.engines.ppocr import PpOcrEngine, PpOcrParams
from ocr_moe.errors import SchemaError
from ocr_moe.evaluation.evaluate import evaluate
from ocr_moe.evaluation.material import gather
from ocr_moe.evaluation.truth.corrected import read_corrected
from ocr_moe.evaluation.truth.truthset import read_truths
from ocr_moe.experts.llm.asking import answer_schema
from ocr_moe.experts.llm.prompts import describe
from ocr_moe.experts.llm.replies import parse
from ocr_moe.experts.rules.expert import RulesExpert
from ocr_moe.exports.jsonl import answer_to_json, record_from_json, record_to_json
from ocr_moe.exports.stored import answer_data, record_data
from ocr_moe.exports.workbook import write_workbook
from ocr_moe.generation.layouts.transcripts import Style as TableStyle
from ocr_moe.judgements import Verdict
from ocr_moe.protocols import State
from ocr_moe.routing.combiners import Moe
from ocr_moe.routing.consistency import check
from ocr_moe.routing.recall import digest_fields
from ocr_moe.schema import Field, Kind, Schema, Total, load_schema
from ocr_moe.testing import StubDocument, StubPage, StubServices, page
from ocr_moe.types import (
    Answer,
    Decision,
    DocumentRef,
    Evidence,
    PageText,
    RawReply,
    Reading,
    Record,
    Status,
)
from ocr_moe.values.normalize import equal
from ocr_moe.values.tables import paired
from tests.conftest import ROOT
from tests.transcripts import Style, draw, opened

TRANSCRIPT = load_schema(ROOT / "config" / "schemas" / "transcript.yaml")
COURSES = TRANSCRIPT.field("课程")
INVOICE_SCHEMA = load_schema(ROOT / "config" / "schemas" / "vat_invoice.yaml")
LINES = Schema(
    name="invoice_lines",
    fields=(
        INVOICE_SCHEMA.field("发票号码"),
        INVOICE_SCHEMA.field("明细").model_copy(
            update={"totals": (Total(column="金额", tolerance=0.01),)}
        ),
    ),
)
THREE = ("课程名称", "学分", "成绩")
EXPERT = RulesExpert("rules", RulesExpert.Params(), StubServices())
SMALL = """
>>>>>>学生成绩单
姓名：陈思远|@0.6 学号：2019001234
课程名称|@0.5 学分|@0.7 成绩
高等数学|@0.5 5|@0.7 88
结构力学|@0.5 4|@0.7 91
工程测量|@0.5 3|@0.7 优
"""
ROWS = [("高等数学", "5", "88"), ("结构力学", "4", "91"), ("工程测量", "3", "优")]


def read(schema: Schema, name: str, *texts: PageText) -> Reading:
    pages = [StubPage(text, number=number) for number, text in enumerate(texts, start=1)]
    answer = EXPERT.read(StubDocument(schema, pages), [schema.field(name)])
    return answer.readings[0]


def values(reading: Reading, *columns: str) -> list[tuple[str | None, ...]]:
    return [tuple(row[name].value for name in columns) for row in reading.rows]


def courses(rows: str, *more: str) -> list[tuple[str | None, ...]]:
    texts = [page(each, height=1500) for each in (rows, *more)]
    return values(read(TRANSCRIPT, "课程", *texts), "课程名称", "学分", "成绩")


# What a schema may say


@pytest.mark.parametrize(
    ("field", "sentence"),
    [
        ("kind: text, columns: [{name: a}]", "field t: `columns` is for `kind: table`"),
        ("key: a", "field t: `key` is for `kind: table`"),
        ("kind: table", "field t: a table needs `columns`"),
        (
            "kind: table, columns: [{name: a, kind: table, columns: [{name: b}]}]",
            "field t: column a is a table itself",
        ),
        (
            "kind: table, columns: [{name: a}, {name: a}]",
            "field t: two columns are called 'a'",
        ),
        (
            "kind: table, key: b, columns: [{name: a}]",
            "field t: no column 'b' (there are: a)",
        ),
        (
            "kind: table, columns: [{name: a}], totals: [{column: c}]",
            "field t: no column 'c' (there are: a)",
        ),
        (
            "kind: table, columns: [{name: a}], totals: [{column: a, field: z}]",
            "field t: the sum of a is to be in 'z', which is no other field",
        ),
        ("kind: table, colums: [{name: a}]", "did you mean 'columns'?"),
    ],
)
def test_a_wrong_declaration_is_told(tmp_path: Path, field: str, sentence: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(f"name: s\nfields:\n  - {{name: t, {field}}}\n", encoding="utf-8")
    with pytest.raises(SchemaError, match=re.escape(sentence)):
        load_schema(file)


def test_what_was_asked_before_there_were_tables_stays_the_same_question() -> None:
    plain = [Field(name="姓名", kind=Kind.PERSON, labels=("姓名",))]
    assert digest_fields("s", plain) == "78534d39f71bf4cf"


def test_the_documentation_shows_a_schema_that_reads(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    file = tmp_path / "packing_list.yaml"
    file.write_text(example, encoding="utf-8")
    schema = load_schema(file)
    reading = read(
        schema,
        "集装箱",
        page(
            """
箱号|@0.4 封号|@0.6 件数|@0.8 毛重(KG)
CSQU3054383|@0.4 S1201|@0.6 40|@0.8 1200.5
MSKU9070323|@0.4 S1202|@0.6 60|@0.8 900
合计|@0.6 100|@0.8 2100.5
"""
        ),
    )
    assert values(reading, "箱号", "件数", "毛重") == [
        ("CSQU3054383", "40", "1200.5"),
        ("MSKU9070323", "60", "900"),
    ]
    assert not reading.notes


# Reading


def test_rows_stand_under_their_headings() -> None:
    reading = read(TRANSCRIPT, "课程", page(SMALL))
    assert values(reading, "课程名称", "学分", "成绩") == ROWS
    cell = reading.rows[0]["学分"]
    assert cell.evidence is not None
    assert cell.evidence.text == "5"
    assert cell.evidence.box[0] == pytest.approx(0.5, abs=0.01)
    assert reading.rows[0]["学期"].value is None


def test_other_fields_end_at_the_table() -> None:
    text = page(SMALL.replace("姓名：陈思远|@0.6 学号：2019001234", "专业：|@0.6 学号：2019001234"))
    assert read(TRANSCRIPT, "专业", text).value is None


@pytest.mark.parametrize("end", ["总学分：12|@0.6 平均学分绩点：3.7", "合计|@0.5 12", ""])
def test_a_table_ends(end: str) -> None:
    assert courses(f"{SMALL.rstrip()}\n{end}\n\n\n教务处|@0.5 2022|@0.7 7") == ROWS


def test_a_line_across_the_table_is_none_of_its_rows() -> None:
    lines = SMALL.strip().split("\n")
    lines.insert(4, "|@0.3 2018-2019学年第一学期的全部课程")
    assert courses("\n".join(lines)) == ROWS


def test_blocks_side_by_side_are_read_one_after_the_other() -> None:
    rows = """
课程名称|@0.3 学分|@0.4 成绩|@0.55 课程名称|@0.75 学分|@0.85 成绩
高等数学|@0.3 5|@0.4 88|@0.55 工程测量|@0.75 3|@0.85 优
结构力学|@0.3 4|@0.4 91
"""
    assert courses(rows) == [ROWS[0], ROWS[1], ROWS[2]]


def test_rows_that_are_numbered_across_blocks_come_in_that_order() -> None:
    rows = """
序号|@0.2 课程名称|@0.35 学分|@0.42 成绩|@0.55 序号|@0.65 课程名称|@0.8 学分|@0.88 成绩
1|@0.2 高等数学|@0.35 5|@0.42 88|@0.55 2|@0.65 结构力学|@0.8 4|@0.88 91
3|@0.2 工程测量|@0.35 3|@0.42 优|@0.55 4|@0.65 大学物理|@0.8 6|@0.88 良
"""
    assert courses(rows) == [*ROWS, ("大学物理", "6", "良")]


def test_a_box_over_two_cells_is_cut() -> None:
    rows = SMALL.replace("高等数学|@0.5 5", f"高等数学{' ' * 30}5")
    reading = read(TRANSCRIPT, "课程", page(rows))
    assert values(reading, "课程名称", "学分", "成绩") == ROWS
    assert reading.rows[0]["学分"].features["cut"] == 1.0
    assert (reading.rows[0]["学分"].score or 0) < (reading.rows[1]["学分"].score or 0)


def test_headings_may_share_a_box_or_be_misread() -> None:
    rows = "课程名林|@0.5 学分|@0.7 成绩\n" + "\n".join(SMALL.strip().split("\n")[3:])
    assert courses(rows) == ROWS
    rows = "|@0.1 课程名称                          学分|@0.7 成绩\n" + "\n".join(
        SMALL.strip().split("\n")[3:]
    )
    assert courses(rows) == ROWS


def test_without_headings_there_is_no_table() -> None:
    reading = read(TRANSCRIPT, "课程", page("\n".join(SMALL.strip().split("\n")[3:])))
    assert reading.value is None
    assert reading.notes == ("no headings of the table found on the page",)


def test_a_wrapped_name_is_one_cell() -> None:
    rows = """
课程名称|@0.5 学分|@0.7 成绩
思想道德修养
与法律基础|@0.5 3|@0.7 90

高等数学|@0.5 5|@0.7 88

结构力学|@0.5 4|@0.7 91
"""
    text = page(rows, pitch=0.034, height=1500)
    assert values(read(TRANSCRIPT, "课程", text), "课程名称", "学分") == [
        ("思想道德修养与法律基础", "3"),
        ("高等数学", "5"),
        ("结构力学", "4"),
    ]


@pytest.mark.parametrize("repeated", [True, False])
def test_a_table_goes_on_on_the_next_page(repeated: bool) -> None:
    head = "课程名称|@0.5 学分|@0.7 成绩\n" if repeated else ""
    second = f"东海大学学生成绩单（续）\n{head}材料力学|@0.5 2|@0.7 77\n大学物理|@0.5 6|@0.7 良\n"
    assert courses(SMALL, second) == [*ROWS, ("材料力学", "2", "77"), ("大学物理", "6", "良")]


def test_a_row_that_was_not_read_is_told() -> None:
    lines = SMALL.strip().split("\n")
    lines += ["材料力学|@0.5 2|@0.7 77", "", "大学物理|@0.5 6|@0.7 良"]
    reading = read(TRANSCRIPT, "课程", page("\n".join(lines), height=1500))
    assert len(reading.rows) == 5
    assert reading.notes == ("after row 4 there is room for one that was not read",)
    assert reading.ceiling == 0.5


INVOICE = """
项目名称|@0.25 规格型号|@0.38 单位|@0.45 数量|@0.55 单价|@0.68 金额|@0.78 税率|@0.88 税额
*软件*开发费|@0.25 A-1|@0.38 套|@0.45 1|@0.55 200|@0.68 200.00|@0.78 6%|@0.88 12.00
*软件*服务费|@0.38 次|@0.45 2|@0.55 50|@0.68 100.00|@0.78 6%|@0.88 6.00
合计|@0.68 ¥300.00|@0.88 ¥18.00
价税合计（大写）|@0.3 叁佰壹拾捌圆整|@0.7 (小写)¥318.00
"""


def test_lines_of_an_invoice_come_to_the_printed_sum() -> None:
    reading = read(LINES, "明细", page(INVOICE))
    assert values(reading, "名称", "规格型号", "数量", "金额", "税率") == [
        ("*软件*开发费", "A-1", "1", "200.00", "6%"),
        ("*软件*服务费", None, "2", "100.00", "6%"),
    ]
    assert not reading.notes
    wrong = read(LINES, "明细", page(INVOICE.replace("¥300.00", "¥310.00")))
    assert wrong.notes == ("金额 adds up to 300.00, printed is 310.00",)


def test_an_empty_cell_beside_one_of_another_shape_is_doubted() -> None:
    """Quantity and price in one box: the price is misshapen, and no quantity is not sure."""
    pair = "|@0.45 1|@0.55 200|"
    assert pair in INVOICE
    whole = read(LINES, "明细", page(INVOICE.replace("|@0.45 1|", "|"))).rows[0]
    merged = read(LINES, "明细", page(INVOICE.replace(pair, "|@0.54 1 200|"))).rows[0]
    assert (whole["数量"].value, merged["数量"].value) == (None, None)
    assert (whole["数量"].score or 0) > 0.9
    assert (merged["数量"].score or 1) < 0.5


# On pages that are drawn and read by the engine


@pytest.fixture(scope="module")
def engine() -> PpOcrEngine:
    return PpOcrEngine("ppocr", PpOcrParams())


@pytest.mark.parametrize(
    "style",
    [
        Style(TableStyle(), rows=12, level="scan"),
        Style(TableStyle(THREE, blocks=2, ruled=False, centred=True), rows=16, level="photo"),
        Style(TableStyle(repeated=False, ruled=False), rows=24, pages=2, level="scan"),
        Style(TableStyle(headings="two_lines", sums=True), rows=10, level="photo"),
        Style(TableStyle((*THREE, "学期"), ruled=False), rows=10, english=True, level="scan"),
        Style(TableStyle(terms=True, ruled=False), rows=12, level="scan"),
    ],
    ids=["ruled", "two blocks", "two pages", "headings of two lines", "english", "terms"],
)
def test_every_cell_of_a_drawn_transcript(engine: PpOcrEngine, style: Style) -> None:
    drawn = draw(7, style)
    texts = []
    for each in drawn.pages:
        image = opened(each)
        lines = engine.read(image)
        texts.append(
            PageText(
                engine="ppocr", width=image.width, height=image.height, rotation=0, lines=lines
            )
        )
    reading = read(TRANSCRIPT, "课程", *texts)
    assert len(reading.rows) == len(drawn.rows)
    wrong = [
        (row[name], cells[name].value)
        for row, cells in zip(drawn.rows, reading.rows, strict=True)
        for name in row
        if not equal(COURSES.column(name), row[name], cells[name].value or "")
    ]
    assert wrong == []
    assert not reading.notes


# Decisions


def decided(*readings: tuple[str, Reading], verdict: Verdict | None = None) -> Decision:
    said = {"课程": dict(readings)}
    verdicts = {} if verdict is None else {"课程": verdict}
    schema = TRANSCRIPT.model_copy(update={"fields": (COURSES,)})
    return Moe(Moe.Params()).combine(State(schema, said, verdicts=verdicts))["课程"]


def table(*rows: Sequence[str | None], score: float = 0.999, **more: object) -> Reading:
    place = Evidence(box=(0.1, 0.1, 0.2, 0.12), text="…")
    names = ("课程名称", "学分", "成绩")
    made = tuple(
        {
            column.name: Reading(
                field=column.name,
                value=dict(zip(names, row, strict=True)).get(column.name),
                score=score if column.name in names else 0.95,
                evidence=place if column.name in names else None,
            )
            for column in COURSES.columns
        }
        for row in rows
    )
    text = json.dumps(
        [{n: v for n, v in zip(names, row, strict=True) if v is not None} for row in rows],
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return Reading.model_validate({"field": "课程", "value": text, "rows": made, **more})


def test_a_table_is_as_sure_as_its_least_sure_cell() -> None:
    decision = decided(("rules", table(*ROWS)))
    assert decision.status is Status.ACCEPTED
    assert [row["成绩"].value for row in decision.rows] == ["88", "91", "优"]
    assert decision.rows[0]["学期"].status is Status.ABSENT
    sure = [cell.confidence for row in decision.rows for cell in row.values()]
    assert decision.confidence == min(each for each in sure if each is not None)

    unsure = table(*ROWS).rows[0] | {"成绩": Reading(field="成绩", value="88", score=0.6)}
    doubtful = table(*ROWS).model_copy(update={"rows": (unsure, *table(*ROWS).rows[1:])})
    decision = decided(("rules", doubtful))
    assert decision.status is Status.ABSTAINED
    assert decision.rows[0]["成绩"].status is Status.ABSTAINED
    assert decision.rows[1]["成绩"].status is Status.ACCEPTED


def test_an_empty_cell_of_a_required_column_is_for_a_person() -> None:
    decision = decided(("rules", table(("高等数学", None, "88"))))
    assert decision.rows[0]["学分"].status is Status.ABSTAINED
    assert decision.status is Status.ABSTAINED


def test_nothing_is_accepted_of_a_table_that_lacks_something() -> None:
    decision = decided(("rules", table(*ROWS, ceiling=0.5, notes=("after row 1 …",))))
    assert (decision.status, decision.confidence) == (Status.ABSTAINED, 0.5)
    assert decision.notes == ("after row 1 …",)


def test_experts_are_matched_by_the_key_and_agree_cell_by_cell() -> None:
    other = table(ROWS[2], ("高等数学", "5", "83"), ROWS[1], score=0.5)
    decision = decided(("rules", table(*ROWS, score=0.97)), ("llm", other))
    assert [row["课程名称"].value for row in decision.rows] == [name for name, *_ in ROWS]
    alone = decided(("rules", table(*ROWS, score=0.97)))
    agreed, disputed = decision.rows[1]["成绩"], decision.rows[0]["成绩"]
    assert (agreed.confidence or 0) > (alone.rows[1]["成绩"].confidence or 0)
    assert (disputed.confidence or 1) < (alone.rows[0]["成绩"].confidence or 0)
    assert disputed.notes == ("llm reads 83",)
    assert "llm reads 3 rows" in decision.notes


def test_a_persons_word_on_a_table_stands() -> None:
    said = '[{"课程名称":"高等数学","学分":"5","成绩":"83"}]'
    decision = decided(("rules", table(*ROWS)), verdict=Verdict(said, "李", "2026-01-01T00:00:00Z"))
    assert decision.status is Status.VERIFIED
    assert [row["成绩"].value for row in decision.rows] == ["83"]
    assert decision.rows[0]["学分"].evidence is not None
    assert decision.notes == ("was a table of 3 rows",)


def test_a_sum_that_another_field_holds() -> None:
    total = COURSES.model_copy(update={"totals": ({"column": "学分", "field": "总学分"},)})
    schema = Schema.model_validate(
        {"name": "s", "fields": [total.model_dump(warnings=False), {"name": "总学分"}]}
    )
    rows = table(*ROWS).value
    assert check(schema, {"课程": rows, "总学分": "12"}) == {}
    found = check(schema, {"课程": rows, "总学分": "13.5"})
    assert {name: [each.note for each in some] for name, some in found.items()} == {
        name: ["学分 of 课程 adds up to 12, 总学分 is 13.5"] for name in ("课程", "总学分")
    }
    assert found["课程"][0].impossible


# Language models


def test_a_model_is_asked_for_rows_and_its_rows_are_found_on_the_page() -> None:
    told = '"课程名称": …, "课程性质": …, "学时": …, "学分": …, "成绩": …, "绩点": …, "学期": …}'
    assert '{"序号": …, ' + told in describe(COURSES)
    form = answer_schema([COURSES])["properties"]["课程"]
    assert form["items"]["required"] == [column.name for column in COURSES.columns]
    rows = [{"课程名称": n, "学分": float(c), "成绩": g} for n, c, g in ROWS]
    lines = page(SMALL).lines
    for content in (
        json.dumps({"课程": rows}),
        f"```json\n{json.dumps(rows)}\n```",
        json.dumps({"课程": {"rows": rows}}),
    ):
        reply = RawReply(fields=("课程",), content=content, model="m")
        reading = parse([reply], [COURSES], [lines])["课程"]
        assert values(reading, "课程名称", "学分", "成绩") == ROWS
        places = [row["成绩"].evidence for row in reading.rows]
        tops = [place.box[1] for place in places if place is not None]
        assert len(tops) == 3
        assert tops == sorted(tops)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ('{"课程": "三门课"}', "this table is a text"),
        ('{"课程": [1, 2]}', "row 1 of this table is no object"),
        ('{"课程": [{"课程名称": "高等数学", "学分": "5"}, {"课程名', "cut off"),
        ('{"课程": null}', None),
    ],
)
def test_rows_that_cannot_be_understood_are_an_error_of_the_table(
    content: str, error: str | None
) -> None:
    reply = RawReply(fields=("课程",), content=content, model="m")
    reading = parse([reply], [COURSES], [page(SMALL).lines])["课程"]
    assert reading.value is None
    assert (error is None) == (reading.error is None)
    assert reading.error is None or (error or "") in reading.error.message


# Written and read back


def record(path: str, *rows: Sequence[str | None]) -> Record:
    decisions = {
        "姓名": Decision(value="陈思远", confidence=0.99, status=Status.ACCEPTED),
        "课程": decided(("rules", table(*rows))),
    }
    return Record(
        document=DocumentRef(path=path, sha256=path),
        schema_name="transcript",
        strategy="moe",
        fields=decisions,
    )


def test_a_record_with_a_table_is_the_same_whoever_writes_it() -> None:
    made = record("a.jpg", *ROWS)
    data = record_to_json(made)
    assert record_data(made.model_dump_json().encode()) == data
    cell = data["fields"]["课程"]["value"][1]["成绩"]
    assert cell.keys() == {"value", "confidence", "status", "evidence"}
    assert (cell["value"], cell["status"]) == ("91", "accepted")
    back = record_from_json(orjson.loads(orjson.dumps(data)))
    assert record_to_json(back) == data
    assert back.fields["课程"].value == made.fields["课程"].value

    answer = Answer(expert="rules/4", readings=(table(*ROWS),))
    written = answer_to_json("rules", answer)
    assert answer_data("rules", answer.model_dump_json().encode()) == written
    assert written["readings"][0]["value"][0]["成绩"]["value"] == "88"


def test_a_table_in_parquet_is_a_table_again(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from ocr_moe.exports.parts import read_parquet, write_parquet

    made = [record("a.jpg", *ROWS), record("b.jpg", ROWS[0])]
    write_parquet(tmp_path, made, [TRANSCRIPT])
    found, _ = read_parquet(tmp_path)
    assert [record_to_json(each) for each in found["moe"]] == list(map(record_to_json, made))


def test_a_table_has_a_sheet_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "records.xlsx"
    unsure = record("b.jpg", ("高等数学", None, "88"))
    write_workbook(file, [record("a.jpg", *ROWS), unsure], [TRANSCRIPT])
    book = openpyxl.load_workbook(file)
    rows = list(book["课程"].iter_rows(values_only=True))
    assert rows[0][:6] == ("document", "page", "row", "序号", "课程名称", "课程性质")
    assert [row[4] for row in rows[1:]] == ["高等数学", "结构力学", "工程测量", "高等数学"]
    assert [row[2] for row in rows[1:]] == [1, 2, 3, 1]
    assert "课程" not in [cell.value for cell in book["documents"][1]]
    assert ["b.jpg", "课程", "1 row, 1 cells to check"] in [
        [row[0], row[2], row[3]] for row in book["to check"].iter_rows(values_only=True)
    ]
    assert any("rows of 课程" in str(row[0].value) for row in book["summary"])
    # What is written there is nobody's word.
    corrected = read_corrected(file, [TRANSCRIPT])
    assert "课程" not in {cell.field for cell in corrected.cells}


def verified(file: Path, rows: Sequence[Sequence[object]], *, documents: bool = True) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    if documents:
        sheet.append(("文件名", "姓名"))
        sheet.append(("a.jpg", "陈思远"))
        sheet = book.create_sheet("课程")
    for row in rows:
        sheet.append(list(row))
    book.save(file)
    return file


@pytest.mark.parametrize("documents", [True, False])
def test_rows_are_scored_by_cell_and_by_row(tmp_path: Path, documents: bool) -> None:
    truth = [
        ("文件名", "课程名称", "学分", "成绩", "学期"),
        ("a.jpg", "结构力学", 4, 91, "无"),
        (None, "高等数学", 5, 98, None),
        (None, "大学物理", 3, 70, None),
        ("nobody.jpg", "大学物理", 3, 70, None),
    ]
    file = verified(tmp_path / "truth.xlsx", truth, documents=documents)
    runs = {"moe": [record("a.jpg", *ROWS)]}
    material = gather(runs, [TRANSCRIPT], read_truths([file]))
    scores = evaluate(material, tmp_path / "out")

    found = scores.strategies["moe"].tables["课程"]
    assert (found.rows, found.rows_right, found.rows_missing, found.rows_extra) == (3, 1, 1, 1)
    assert (found.n, found.right, found.wrong, found.missing) == (10, 6, 1, 3)
    assert found.silent_errors == 1
    assert found.columns["成绩"].right == 1
    assert any("nobody.jpg" in problem.message for problem in scores.problems)
    assert scores.strategies["moe"].cells.n == (1 if documents else 0)
    told = json.loads((tmp_path / "out" / "scores.json").read_text(encoding="utf-8"))
    assert told["strategies"]["moe"]["tables"]["课程"]["rows"] == 3
    assert "1 of 3 rows right" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    sheet = openpyxl.load_workbook(tmp_path / "out" / "accuracy.xlsx")["tables"]
    assert [cell.value for cell in sheet["B"]][1:3] == ["课程", "课程"]


def test_rows_without_a_key_are_aligned() -> None:
    left = [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}, {"a": "3", "b": "z"}]
    assert paired("", left, left[1:]) == [(0, None), (1, 0), (2, 1)]
    assert paired("a", left, [{"a": "9", "b": "y"}, *left[2:]]) == [(0, None), (1, 0), (2, 1)]
    assert paired("", left, left) == [(0, 0), (1, 1), (2, 2)]

"""records.xlsx, read back with another library than the one that writes it."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import openpyxl.utils
import pytest
from PIL import Image

from ocr_moe.evaluation.truth.tables import read_tables
from ocr_moe.exports.workbook import write_workbook
from ocr_moe.formats.addresses import file_address
from ocr_moe.schema import Field, Kind, Schema, Subjects
from ocr_moe.types import (
    Alternative,
    Answer,
    Conflict,
    ConflictKind,
    Decision,
    DocumentRef,
    Evidence,
    Failure,
    Reading,
    Record,
    Status,
)

DIPLOMA = Schema(
    name="diploma",
    fields=(
        Field(name="姓名", kind=Kind.PERSON),
        Field(name="证书编号", kind=Kind.CODE),
        Field(name="备注"),
    ),
    subjects=Subjects(
        pattern=r"(?P<name>[^_]+)_(?P<degree>本科|硕士)_(?P<kind>毕业|学位)",
        degree_order=("硕士", "本科"),
        kind_order=("毕业", "学位"),
    ),
)
RECEIPT = Schema(name="receipt", fields=(Field(name="page"), Field(name="姓名")))


def record(path: str, fields: dict[str, Decision], schema: str | None = "diploma") -> Record:
    return Record(
        document=DocumentRef(path=path, sha256=path),
        schema_name=schema,
        strategy="moe",
        fields=fields,
    )


def decision(value: str | None, status: Status = Status.ACCEPTED, **more: Any) -> Decision:
    return Decision(value=value, status=status, **more)


def book(
    tmp_path: Path, records: Iterable[Record], *schemas: Schema, **options: Any
) -> openpyxl.Workbook:
    path = tmp_path / "records.xlsx"
    write_workbook(path, records, schemas or (DIPLOMA,), **options)
    return openpyxl.load_workbook(path)


def rows(workbook: openpyxl.Workbook, sheet: str) -> list[dict[str, Any]]:
    heading, *body = workbook[sheet].iter_rows(values_only=True)
    return [dict(zip(heading, row, strict=True)) for row in body]


def test_codes_are_text_and_the_header_is_frozen_and_filtered(tmp_path: Path) -> None:
    workbook = book(
        tmp_path,
        [
            record(
                "张三_本科_毕业.jpg", {"证书编号": decision("106131202505004931", confidence=0.99)}
            )
        ],
    )

    sheet = workbook["documents"]
    cell = sheet["D2"]
    assert (cell.value, cell.data_type, cell.number_format) == ("106131202505004931", "s", "@")
    assert sheet.freeze_panes == "B2"
    assert sheet.auto_filter.ref == "A1:K2"
    assert sheet.column_dimensions["D"].width > 20
    shown = [each.title for each in workbook if each.sheet_state == "visible"]
    assert shown == ["summary", "documents", "to check", "subjects", "to clear up", "failures"]
    for each in workbook:
        assert each.page_setup.orientation == "landscape"
        assert (each.page_setup.fitToWidth, each.page_setup.fitToHeight) == (None, 0)
    assert sheet.print_title_rows == "$1:$1"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=cmd|' /C calc'!A0"])
def test_what_looks_like_a_formula_stays_text(tmp_path: Path, text: str) -> None:
    workbook = book(tmp_path, [record(f"{text}.jpg", {"备注": decision(text)})])

    sheet = workbook["documents"]
    assert sheet["E2"].value == text
    assert sheet["A2"].value == f"{text}.jpg"
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} <= {"s", "n"}
    with zipfile.ZipFile(tmp_path / "records.xlsx") as archive:
        for name in archive.namelist():
            if name.startswith("xl/worksheets/sheet"):
                assert b"<f>" not in archive.read(name)


def test_unsure_cells_are_coloured_and_carry_the_confidence(tmp_path: Path) -> None:
    evidence = Evidence(box=(0, 0, 1, 1), text="10613I")
    fields = {
        "姓名": decision("张三", Status.ABSTAINED, confidence=0.62, notes=("seal over it",)),
        "证书编号": decision(None, Status.FAILED, notes=("the endpoint is down",)),
        "备注": decision("x", evidence=evidence, confidence=0.97),
    }

    sheet = book(tmp_path, [record("张三_本科_毕业.jpg", fields)])["documents"]

    name, code, remark = sheet["C2"], sheet["D2"], sheet["E2"]
    assert "0.620" in name.comment.text
    assert "seal over it" in name.comment.text
    assert "the endpoint is down" in code.comment.text
    assert remark.comment is None
    colours = [cell.fill.fgColor.rgb for cell in (name, code, remark)]
    assert len(set(colours)) == 3
    assert (sheet["G2"].value, sheet["H2"].value) == ("姓名, 证书编号", 0.62)


def test_failures_tell_file_and_field(tmp_path: Path) -> None:
    broken = Record(
        document=DocumentRef(path="b.jpg", sha256="b"),
        schema_name=None,
        strategy="moe",
        error=Failure(type="UnreadableFileError", message="b.jpg is empty"),
    )
    failed = record("张三_本科_毕业.jpg", {"姓名": decision(None, Status.FAILED, notes=("down",))})

    found = rows(book(tmp_path, [broken, failed]), "failures")

    told = [(row["document"], row["field"], row["type"], row["message"]) for row in found]
    assert told[:2] == [
        ("b.jpg", None, "UnreadableFileError", "b.jpg is empty"),
        ("张三_本科_毕业.jpg", "姓名", "field failed", "down"),
    ]
    assert (told[2][0], told[2][2]) == ("b.jpg", "no subject")


def test_a_row_a_subject_from_the_chosen_document(tmp_path: Path) -> None:
    records = [
        record("a/张三_本科_毕业.jpg", {"证书编号": decision("1")}),
        record("a/张三_硕士_学位.jpg", {"证书编号": decision("2")}),
        record("a/李四_本科_毕业.jpg", {"证书编号": decision("3")}),
        record("b/李四_本科_毕业.jpg", {"证书编号": decision("4")}),
    ]

    found = rows(book(tmp_path, iter(records)), "subjects")

    assert [(row["subject"], row["证书编号"], row["other documents"]) for row in found] == [
        ("张三", "2", "a/张三_本科_毕业.jpg"),
        ("李四", "3", None),
        ("李四", "4", None),
    ]
    assert [bool(row["notes"]) for row in found] == [False, True, True]


def test_each_schema_has_a_sheet_and_our_headings_make_room(tmp_path: Path) -> None:
    broken = Record(
        document=DocumentRef(path="c.jpg", sha256="c"),
        schema_name=None,
        strategy="moe",
        error=Failure(type="UnreadableFileError", message="c.jpg is empty"),
    )
    blank = Record(
        document=DocumentRef(path="d.pdf", sha256="d"), schema_name=None, strategy="moe", blank=True
    )
    records = [
        record("a.jpg", {"姓名": decision("张三")}),
        record("b.jpg", {"page": decision("7"), "姓名": decision("李四")}, "receipt"),
        broken,
        blank,
    ]

    workbook = book(tmp_path, records, DIPLOMA, RECEIPT)

    [diploma], [receipt] = rows(workbook, "diploma"), rows(workbook, "receipt")
    assert list(diploma)[:6] == ["document", "page", "姓名", "证书编号", "备注", "checked"]
    assert list(receipt)[:5] == ["document", "page *", "page", "姓名", "checked"]
    assert (receipt["page"], receipt["page *"], receipt["schema"]) == ("7", 1, "receipt")
    assert "documents" not in workbook.sheetnames
    others = rows(workbook, "other pages")
    assert [(row["document"], row["message"]) for row in others] == [
        ("c.jpg", "c.jpg is empty"),
        ("d.pdf", "blank page"),
    ]
    assert rows(workbook, "failures")[0]["document"] == "c.jpg"
    counts = summary(workbook)
    assert counts["documents"] == 3
    assert counts["documents: diploma"] == counts["documents: receipt"] == 1
    assert counts["blank pages, with nothing to read"] == 1
    assert counts["documents that could not be read: see the sheet “failures”"] == 1
    assert counts["pages of no known kind: see the sheet “other pages”"] == 0


def summary(workbook: openpyxl.Workbook) -> dict[Any, Any]:
    return {row[0]: row[1] for row in workbook.worksheets[0].iter_rows(values_only=True)}


def test_one_schema_of_several_that_could_be_stands_on_documents(tmp_path: Path) -> None:
    workbook = book(tmp_path, [record("a.jpg", {"姓名": decision("张三")})], DIPLOMA, RECEIPT)

    [row] = rows(workbook, "documents")
    assert row["姓名"] == "张三"
    assert not {"other pages", "receipt", "diploma"} & set(workbook.sheetnames)


def test_a_full_sheet_goes_on_in_the_next(tmp_path: Path) -> None:
    records = [record(f"{i}.jpg", {"姓名": decision(str(i))}) for i in range(5)]

    workbook = book(tmp_path, records, rows_per_sheet=2)

    parts = ["documents", "documents (2)", "documents (3)"]
    assert [name for name in workbook.sheetnames if name.startswith("documents")] == parts
    assert [row["姓名"] for part in parts for row in rows(workbook, part)] == list("01234")
    assert workbook["documents (3)"].freeze_panes == "B2"


def test_characters_that_xml_forbids_and_endless_values(tmp_path: Path) -> None:
    name = b"\xff.jpg".decode("utf-8", "surrogateescape")
    fields = {"姓名": decision("a\x00b\x0bc"), "备注": decision("长" * 40_000)}

    [found] = rows(book(tmp_path, [record(name, fields)]), "documents")

    assert found["姓名"] == "a\ufffdb\ufffdc"
    assert found["备注"].endswith("…")
    assert len(found["备注"]) <= 32_767


def test_equal_records_are_equal_bytes(tmp_path: Path) -> None:
    records = [record("张三_本科_毕业.jpg", {"姓名": decision("张三", Status.ABSTAINED)})]

    write_workbook(tmp_path / "one.xlsx", records, [DIPLOMA])
    write_workbook(tmp_path / "two.xlsx", records, [DIPLOMA])

    assert (tmp_path / "one.xlsx").read_bytes() == (tmp_path / "two.xlsx").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one.xlsx", "two.xlsx"]


def test_an_exception_on_the_way_leaves_the_old_workbook_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "records.xlsx"
    path.write_bytes(b"old")

    def records() -> Iterator[Record]:
        yield record("a.jpg", {"姓名": decision("张三")})
        raise RuntimeError("the store is gone")

    class Rows:
        def __iter__(self) -> Iterator[Record]:
            return records()

    with pytest.raises(RuntimeError, match="the store is gone"):
        write_workbook(path, Rows(), [DIPLOMA])

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_contradictions_stand_on_a_sheet_of_their_own(tmp_path: Path) -> None:
    conflict = Conflict(
        kind=ConflictKind.COPY, fields=("证书编号",), documents=("b.jpg",), message="=twice"
    )
    told = record("a.jpg", {}).model_copy(update={"conflicts": (conflict,)})

    [row] = rows(book(tmp_path, [told, record("b.jpg", {})]), "to clear up")

    assert row == {
        "document": "a.jpg",
        "page": 1,
        "field": "证书编号",
        "what": "handed in twice",
        "message": "=twice",
        "other documents": "b.jpg",
        "part": 1,
    }


def test_a_document_whose_file_name_tells_nothing_joins_the_subject_that_was_read(
    tmp_path: Path,
) -> None:
    by_name = DIPLOMA.model_copy(
        update={
            "subjects": Subjects(
                pattern=r"(?P<name>[^_]+)_(?P<degree>本科|硕士)_(?P<kind>毕业|学位)",
                degree_order=("硕士", "本科"),
                name_field="姓名",
                constant=("姓名", "备注"),
            )
        }
    )

    def said(name: str, remark: str) -> dict[str, Decision]:
        return {"姓名": decision(name), "备注": decision(remark)}

    workbook = book(
        tmp_path,
        [
            record("IMG_1.jpg", said("张三", "1997-03-15")),
            record("IMG_2.jpg", said("张三", "1989-01-30")),
            record("IMG_3.jpg", said("李四", "1989-01-30")),
            record("IMG_4.jpg", {"姓名": decision(None)}),
            record("张三_本科_毕业.jpg", said("张三", "1997-03-15")),
        ],
        by_name,
    )

    found = {
        (row["subject"], row["document"], row["other documents"])
        for row in rows(workbook, "subjects")
    }
    assert found == {
        ("张三", "张三_本科_毕业.jpg", "IMG_1.jpg"),
        ("张三", "IMG_2.jpg", None),
        ("李四", "IMG_3.jpg", None),
    }
    assert [row["document"] for row in rows(workbook, "failures")] == ["IMG_4.jpg"]
    notes = {row["document"]: row["notes"] for row in rows(workbook, "subjects")}
    assert notes["IMG_3.jpg"] == "grouped by the name that was read"
    assert "not merged" in notes["IMG_2.jpg"]


def test_the_sheet_to_check_has_a_row_a_doubtful_cell_with_its_picture(tmp_path: Path) -> None:
    evidence = Evidence(box=(0.1, 0.1, 0.5, 0.2), text="10613I")
    fields = {
        "姓名": decision("张三", Status.ABSTAINED, confidence=0.62, evidence=evidence),
        "证书编号": decision(None, Status.FAILED, notes=("down",)),
        "备注": decision("x"),
    }
    image = Image.new("RGB", (300, 60), "white")
    stream = io.BytesIO()
    image.save(stream, "JPEG")

    def crop(told: Record, field: str) -> bytes | None:
        return stream.getvalue() if told.fields[field].evidence is not None else None

    workbook = book(tmp_path, [record("a.jpg", fields)], crop_of=crop)

    sheet = workbook["to check"]
    assert [
        (row["field"], row["value"], row["confidence"]) for row in rows(workbook, "to check")
    ] == [
        ("姓名", "张三", 0.62),
        ("证书编号", None, None),
    ]
    [picture] = sheet._images
    heads = [cell.value for cell in sheet[1]]
    assert (picture.anchor._from.row, picture.anchor._from.col) == (1, heads.index("picture"))
    assert sheet.row_dimensions[2].height >= 60 * 0.75
    assert summary(workbook)["pictures on the sheet “to check”"] == 1
    assert "picture" not in rows(book(tmp_path, [record("a.jpg", fields)]), "to check")[0]


def test_pictures_stop_where_a_file_would_grow_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocr_moe.exports.workbook.pictures.MAX_PICTURES", 2)
    image = Image.new("RGB", (30, 10), "white")
    stream = io.BytesIO()
    image.save(stream, "PNG")
    unsure = {"姓名": decision("张三", Status.ABSTAINED)}
    records = [record(f"{i}.jpg", unsure) for i in range(5)]

    workbook = book(tmp_path, records, crop_of=lambda told, field: stream.getvalue())

    assert len(workbook["to check"]._images) == 2
    assert summary(workbook)["pictures left out, so that the file stays small"] == 3


def test_full_dates_are_dates_and_come_back_as_they_were(tmp_path: Path) -> None:
    schema = Schema(name="dated", fields=(Field(name="日期", kind=Kind.DATE),))
    values = [
        "2019-06-20",
        "1900-03-01",
        "1899-05-04",
        "1900-02-28",
        "2019-06",
        "9999-12-31",
        "2019-02-30",
    ]
    records = [
        record(f"{i}.jpg", {"日期": decision(value)}, "dated") for i, value in enumerate(values)
    ]

    sheet = book(tmp_path, records, schema)["documents"]

    cells = [sheet.cell(row, 3) for row in range(2, 2 + len(values))]
    assert [cell.is_date for cell in cells] == [True, True, False, False, False, True, False]
    assert {cell.number_format for cell in cells if cell.is_date} == {"yyyy-mm-dd"}
    [table] = [t for t in read_tables(tmp_path / "records.xlsx") if t.name == "documents"]
    assert [row[2].text for _, row in table.rows[1:]] == values


def test_choices_are_offered_and_nothing_is_forbidden(tmp_path: Path) -> None:
    many: dict[str, tuple[str, ...]] = {f"第{i:03d}种, 含逗号": () for i in range(60)}
    schema = Schema(
        name="listed",
        fields=(
            Field(name="性别", kind=Kind.ENUM, values={"男": (), "女": ()}),
            Field(name="种类", kind=Kind.ENUM, values=many),
        ),
    )

    workbook = book(tmp_path, [record("a.jpg", {"性别": decision("男")}, "listed")], schema)

    found = workbook["documents"].data_validations.dataValidation
    assert [(str(each.sqref), each.errorStyle) for each in found] == [
        ("C2", "warning"),
        ("D2", "warning"),
    ]
    for each, values in zip(found, (["男", "女"], list(many)), strict=True):
        sheet, span = each.formula1.rsplit("!", 1)
        [listed] = workbook[sheet.strip("'")][span.replace("$", "")]
        assert [cell.value for cell in listed] == [*values, "无"]
    assert workbook["choices"].sheet_state == "veryHidden"


def test_links_lead_to_files_and_the_desk_and_never_to_what_was_read(tmp_path: Path) -> None:
    path = "班级 1/#张三 50%.jpg"
    fields = {"备注": decision("http://evil.example/"), "姓名": decision("file:///etc/passwd")}

    workbook = book(
        tmp_path,
        [record(path, fields), record("gone.jpg", fields)],
        original_of=lambda document: (
            file_address(f"/扫描/{document.path}")
            if document.page == 1 and document.path == path
            else ""
        ),
        desk_of=lambda document: f"http://127.0.0.1:8000/d/{document.sha256[:2]}",
    )

    sheet = workbook["documents"]
    heads = [cell.value for cell in sheet[1]]
    linked = {
        cell.coordinate: cell.hyperlink.target
        for row in sheet.iter_rows()
        for cell in row
        if cell.hyperlink is not None
    }
    desk = openpyxl.utils.get_column_letter(heads.index("desk") + 1)
    assert linked.keys() == {"A2", f"{desk}2", f"{desk}3"}
    assert linked["A2"].lower() == "file:///扫描/班级%201/%23张三%2050%25.jpg"
    assert sheet["A2"].value == path


def test_addresses_of_files_hold_nothing_that_ends_them() -> None:
    assert file_address("relative.jpg") == ""
    assert file_address("/scans/\udcff.jpg") == ""
    assert file_address("/a/b c.jpg") == "file:///a/b%20c.jpg"


def test_in_chinese_everything_but_values_is_chinese(tmp_path: Path) -> None:
    unsure = decision("张三", Status.ABSTAINED, confidence=0.5, notes=("rules reads 张王",))
    verified = decision(
        "1", Status.VERIFIED, reviewer="李", at="2026-11-28T01:00:00+00:00", notes=("was 2",)
    )
    fields = {"姓名": unsure, "证书编号": verified}

    titled = DIPLOMA.model_copy(update={"title": "毕业证书"})
    workbook = book(tmp_path, [record("张三_本科_毕业.jpg", fields)], titled, language="zh")

    shown = [each.title for each in workbook if each.sheet_state == "visible"]
    assert shown == ["摘要", "文档", "待核对", "按主体汇总", "待澄清", "失败"]
    for name in shown[1:]:
        assert all(re.search(r"[\u4e00-\u9fff]", cell.value) for cell in workbook[name][1])
    sheet = workbook["文档"]
    assert "rules 识别为“张王”" in sheet["C2"].comment.text
    assert "已由 李 核对" in sheet["D2"].comment.text
    assert "原为“2”" in sheet["D2"].comment.text
    for text in summary(workbook):
        assert text is None or re.search(r"[\u4e00-\u9fff]", text), text


def test_other_candidates_stand_in_the_note(tmp_path: Path) -> None:
    reading = Reading(
        field="证书编号",
        value="106",
        alternatives=(
            Alternative(value="106", logprob=-0.1),
            Alternative(value="108", logprob=-2.0),
            Alternative(value="168", logprob=-3.0),
        ),
    )
    unsure = decision("106", Status.ABSTAINED, confidence=0.5, notes=("rules reads 168",))

    sheet = book(
        tmp_path,
        [record("a.jpg", {"证书编号": unsure})],
        answers=lambda told: {"codes": [Answer(expert="codes", readings=(reading,))]},
    )["documents"]

    assert "other candidates: 108\n" in sheet["D2"].comment.text

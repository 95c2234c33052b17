"""records.xlsx, read back with another library than the one that writes it."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from ocr_moe.exports.workbook import write_workbook
from ocr_moe.schema import Field, Kind, Schema, Subjects
from ocr_moe.types import (
    Conflict,
    ConflictKind,
    Decision,
    DocumentRef,
    Evidence,
    Failure,
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
    cell = sheet["E2"]
    assert (cell.value, cell.data_type, cell.number_format) == ("106131202505004931", "s", "@")
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:J2"
    assert sheet.column_dimensions["E"].width > 20
    assert workbook.sheetnames == ["documents", "subjects", "to clear up", "failures"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=cmd|' /C calc'!A0"])
def test_what_looks_like_a_formula_stays_text(tmp_path: Path, text: str) -> None:
    workbook = book(tmp_path, [record(f"{text}.jpg", {"备注": decision(text)})])

    sheet = workbook["documents"]
    assert sheet["F2"].value == text
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

    name, code, remark = sheet["D2"], sheet["E2"], sheet["F2"]
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


def test_schemas_share_the_sheet_and_our_headings_make_room(tmp_path: Path) -> None:
    records = [
        record("a.jpg", {"姓名": decision("张三")}),
        record("b.jpg", {"page": decision("7"), "姓名": decision("李四")}, "receipt"),
    ]

    found = rows(book(tmp_path, records, DIPLOMA, RECEIPT), "documents")

    assert list(found[0])[:7] == [
        "document",
        "page *",
        "schema",
        "姓名",
        "证书编号",
        "备注",
        "page",
    ]
    assert (found[1]["page"], found[1]["page *"], found[1]["schema"]) == ("7", 1, "receipt")


def test_a_full_sheet_goes_on_in_the_next(tmp_path: Path) -> None:
    records = [record(f"{i}.jpg", {"姓名": decision(str(i))}) for i in range(5)]

    workbook = book(tmp_path, records, rows_per_sheet=2)

    parts = ["documents", "documents (2)", "documents (3)"]
    assert [name for name in workbook.sheetnames if name.startswith("documents")] == parts
    assert [row["姓名"] for part in parts for row in rows(workbook, part)] == list("01234")
    assert workbook["documents (3)"].freeze_panes == "A2"


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

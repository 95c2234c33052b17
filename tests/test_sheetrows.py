"""Rows that are written at once are what xlsxwriter makes of the same cells, byte by byte."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ocr_moe.formats.sheetnotes import NotedWorkbook
from ocr_moe.formats.sheetrows import Plain, RowSheet
from ocr_moe.formats.xlsx import FIRST_DATE, Cell, Column, writing

TEXTS = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff"),
        st.sampled_from(list("<>&\"'\r\n\t _xX0aF\x0b\x1f张")),
    ),
    min_size=1,
    max_size=40,
).filter(lambda text: not (text.startswith("<r>") and text.endswith("</r>")))
CELLS = st.one_of(
    st.none(),
    TEXTS,
    st.sampled_from(["_x0041_", "_x005F_x0041_", " a", "a\n", "0123456789012345678", "=1+1"]),
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(min_value=FIRST_DATE),
)
ROWS = st.lists(st.lists(CELLS, max_size=5), max_size=6)


def sheet_of(rows: list[list[Plain]], *, at_once: bool) -> bytes:
    """The XML of the worksheet."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"constant_memory": True, "strings_to_urls": False})
    sheet: Any = book.add_worksheet("a", worksheet_class=RowSheet)
    looks = [book.add_format({"num_format": f"0.{'0' * (n + 1)}"}) for n in range(5)]
    sheet.set_column(0, 4, 12, looks[0])
    for number, row in enumerate(rows):
        if at_once:
            sheet.put_row(number, [(n, cell, looks[n]) for n, cell in enumerate(row)])
            continue
        for n, cell in enumerate(row):
            match cell:
                case None:
                    sheet.write_blank(number, n, None, looks[n])
                case str():
                    sheet.write_string(number, n, cell, looks[n])
                case date():
                    day = datetime(cell.year, cell.month, cell.day)
                    sheet.write_datetime(number, n, day, looks[n])
                case _:
                    sheet.write_number(number, n, cell, looks[n])
    book.close()
    return zipfile.ZipFile(file).read("xl/worksheets/sheet1.xml")


@settings(deadline=None, max_examples=100)
@given(ROWS)
def test_rows_are_those_of_xlsxwriter(rows: list[list[Plain]]) -> None:
    assert sheet_of(rows, at_once=True) == sheet_of(rows, at_once=False)


NOTES = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 5), TEXTS, st.booleans(), st.booleans()),
    max_size=8,
)


def parts_of(book_class: type[xlsxwriter.Workbook], notes: list[Any]) -> dict[str, bytes]:
    """All files of a workbook with notes on two of its three sheets."""
    file = io.BytesIO()
    book = book_class(file)
    book.set_properties({"created": datetime(2000, 1, 1)})
    sheets = [book.add_worksheet() for _ in range(3)]
    sheets[0].set_column(1, 2, 31)
    sheets[0].write_comment(0, 0, "one at least")
    for row, column, text, visible, second in notes:
        options = {"author": "ocr-moe", "x_scale": 1.6, "visible": visible}
        sheets[2 if second else 0].write_comment(row, column, text, options)
    book.close()
    archive = zipfile.ZipFile(file)
    return {name: archive.read(name) for name in archive.namelist()}


@settings(deadline=None, max_examples=50)
@given(NOTES)
@example(
    [
        (n, 0, text, False, False)
        for n, text in enumerate(("\r", "\r a", " a", "a\n", "_x0041_", "<&>\x0b"))
    ]
)
def test_notes_are_those_of_xlsxwriter(notes: list[Any]) -> None:
    assert parts_of(NotedWorkbook, notes) == parts_of(xlsxwriter.Workbook, notes)


def test_rows_of_both_kinds_stand_in_their_order_with_notes_and_links(tmp_path: Path) -> None:
    """A row with a marked text is xlsxwriter's; those around it are written at once."""
    file = tmp_path / "a.xlsx"
    with writing(file) as book:
        sheet = book.sheet("a", [Column("x"), Column("y")])
        for number in range(6):
            marks = ((0, 1),) if number in (0, 3, 4) else ()
            link = "https://example.org/" if number == 2 else ""
            note = f"note {number}" if number % 2 else ""
            sheet.append([Cell(f"text {number}", note=note, marks=marks, link=link), number])
    found = openpyxl.load_workbook(file)["a"]
    rows = list(found.iter_rows(min_row=2, values_only=True))
    assert rows == [(f"text {number}", number) for number in range(6)]
    notes = [found.cell(number + 2, 1).comment for number in range(6)]
    assert [note and note.text for note in notes] == [
        f"note {number}" if number % 2 else None for number in range(6)
    ]
    linked = found.cell(4, 1).hyperlink
    assert linked is not None
    assert linked.target == "https://example.org/"


@pytest.mark.parametrize("text", ["<r><t>1</t></r>", "<r></r>", "<r>&</r>"])
def test_no_text_is_taken_for_markup(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.xlsx"
    with writing(file) as book:
        book.sheet("a", [Column("x")]).append([text])
    assert openpyxl.load_workbook(file)["a"]["A2"].value == text

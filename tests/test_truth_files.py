"""Files that hold verified sheets: what programs and people did to them, and what is hostile."""

from __future__ import annotations

import re
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import openpyxl
import pytest

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.truth import workbooks
from ocr_moe.evaluation.truth.cells import RawCell
from ocr_moe.evaluation.truth.tables import read_tables

ROWS = (("文件名", "姓名", "证书编号"), ("a.jpg", "陈思远", "100051201905001234"))
SHEET = "xl/worksheets/sheet1.xml"
Change = Callable[[dict[str, bytes]], None]


def workbook(path: Path, *changes: Change) -> Path:
    """A workbook of two rows, its parts changed as other programs write them."""
    made = openpyxl.Workbook()
    for row in ROWS:
        made.worksheets[0].append(list(row))
    plain = BytesIO()
    made.save(plain)
    with zipfile.ZipFile(plain) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for change in changes:
        change(parts)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def texts(path: Path) -> list[list[str | None]]:
    [table] = read_tables(path)
    return [[cell.text for cell in cells] for _, cells in table.rows]


def replaced(name: str, old: str, new: str) -> Change:
    def change(parts: dict[str, bytes]) -> None:
        assert old.encode() in parts[name]
        parts[name] = parts[name].replace(old.encode(), new.encode())

    return change


def strict(parts: dict[str, bytes]) -> None:
    """The namespaces of strict Office Open XML, ISO/IEC 29500."""
    for name, content in parts.items():
        for old, new in (
            (
                b"schemas.openxmlformats.org/spreadsheetml/2006",
                b"purl.oclc.org/ooxml/spreadsheetml",
            ),
            (
                b"schemas.openxmlformats.org/officeDocument/2006/relationships",
                b"purl.oclc.org/ooxml/officeDocument/relationships",
            ),
        ):
            content = content.replace(old, new)
        parts[name] = content


def empty_fill(parts: dict[str, bytes]) -> None:
    styles = parts["xl/styles.xml"]
    parts["xl/styles.xml"] = re.sub(rb"<fill>.*?</fill>", b"<fill/>", styles, count=1)


def font_family(parts: dict[str, bytes]) -> None:
    styles = parts["xl/styles.xml"]
    parts["xl/styles.xml"] = re.sub(rb'<family val="\d+"', b'<family val="34"', styles)
    assert b'"34"' in parts["xl/styles.xml"]


def odd_dates(parts: dict[str, bytes]) -> None:
    core = parts["docProps/core.xml"]
    parts["docProps/core.xml"] = re.sub(rb">\d{4}-[^<]+Z<", b">20. Juni 2019<", core)
    assert b"Juni" in parts["docProps/core.xml"]


def backslashes(parts: dict[str, bytes]) -> None:
    for name in list(parts):
        parts[name.replace("/", "\\")] = parts.pop(name)


@pytest.mark.parametrize("change", [strict, empty_fill, font_family, odd_dates])
def test_what_excel_opens_and_openpyxl_does_not_is_read_all_the_same(
    tmp_path: Path, change: Change
) -> None:
    path = workbook(tmp_path / "t.xlsx", change)

    assert texts(path) == [list(row) for row in ROWS]
    assert read_tables(path)[0].second_choice


def test_an_archive_with_backslashes_is_read_by_the_better_reader(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", backslashes)

    assert texts(path) == [list(row) for row in ROWS]
    assert not read_tables(path)[0].second_choice


def test_the_second_reader_keeps_places_and_merged_cells(tmp_path: Path) -> None:
    def moved(parts: dict[str, bytes]) -> None:
        sheet = parts[SHEET].decode()
        for old, new in (("C", "E"), ("B", "D"), ("A", "C")):
            sheet = re.sub(rf'r="{old}(\d)"', rf'r="{new}\1"', sheet)
        merged = '</sheetData><mergeCells count="1"><mergeCell ref="D2:D3"/></mergeCells>'
        row = '<row r="3"><c r="C3" t="inlineStr"><is><t>b.jpg</t></is></c></row>'
        parts[SHEET] = sheet.replace("</sheetData>", row + merged).encode()

    path = workbook(tmp_path / "t.xlsx", moved)
    by_first = read_tables(path)
    by_second = read_tables(workbook(tmp_path / "u.xlsx", moved, strict))

    assert by_first[0].rows == by_second[0].rows
    assert by_first[0].merged == by_second[0].merged == ((2, 3, 3),)
    assert by_second[0].rows[2][1] == (*[RawCell()] * 2, RawCell("b.jpg"), RawCell("陈思远"))


@pytest.mark.slow
@pytest.mark.parametrize("cell", ["C1048576", "XFD2", "XFD1048576"])
def test_a_stray_cell_costs_no_more_than_the_cells_there_are(tmp_path: Path, cell: str) -> None:
    number = re.sub(r"\D", "", cell)
    stray = f'<c r="{cell}" t="inlineStr"><is><t>x</t></is></c></row>'
    at = f'<row r="{number}">' if number != "2" else ""

    def change(parts: dict[str, bytes]) -> None:
        sheet = parts[SHEET].decode()
        cut = sheet.rindex("</row>") + (0 if number == "2" else len("</row>"))
        tail = sheet[cut:].removeprefix("</row>")
        parts[SHEET] = (sheet[:cut] + at + stray + tail).encode()

    path = workbook(tmp_path / "t.xlsx", change)
    tracemalloc.start()
    [table] = read_tables(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert sum(len(cells) for _, cells in table.rows) <= 16384 * 2
    assert table.rows[-1][0] == int(number)
    assert peak < 20e6


def test_the_second_reader_is_not_asked_for_a_rectangle_that_memory_does_not_hold(
    tmp_path: Path,
) -> None:
    far = '<row r="1048576"><c r="XFD1048576" t="inlineStr"><is><t>x</t></is></c></row></sheetData>'
    path = workbook(tmp_path / "t.xlsx", replaced(SHEET, "</sheetData>", far), strict)

    with pytest.raises(TruthError, match=r"t\.xlsx: a cell stands far from all others; delete"):
        read_tables(path)


def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bomb(parts: dict[str, bytes]) -> None:
        parts["xl/sharedStrings.xml"] = b" " * 3_000_000

    monkeypatch.setattr(workbooks, "_UNPACKED", 2**20)
    with pytest.raises(TruthError, match="unpacks to more than 1 MB"):
        read_tables(workbook(tmp_path / "t.xlsx", bomb))


def test_an_archive_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", lambda parts: parts.update({SHEET: b" " * 3_000_000}))
    real, said = (3_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little")
    data = path.read_bytes()
    assert data.count(real) == 2
    path.write_bytes(data.replace(real, said))

    with pytest.raises(TruthError, match=r"damaged.*save it as a new \.xlsx"):
        read_tables(path)


def test_a_damaged_stream_is_told(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx")
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo(SHEET).header_offset + 30 + len(SHEET)
    data[start : start + 64] = b"\xff" * 64
    path.write_bytes(data)

    with pytest.raises(TruthError, match=r"t\.xlsx: the workbook is damaged"):
        read_tables(path)


@pytest.mark.parametrize(
    ("declared", "used"),
    [
        (
            '<!ENTITY a "aaaaaaaaaa">'
            + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in pairwise("abcdefghi")),
            "&i;",
        ),
        ('<!ENTITY x SYSTEM "file:///etc/passwd">', "&x;"),
    ],
)
def test_entities_neither_explode_nor_open_files(tmp_path: Path, declared: str, used: str) -> None:
    def change(parts: dict[str, bytes]) -> None:
        sheet = parts[SHEET].decode()
        assert "<t>陈思远</t>" in sheet or "<v>1</v>" in sheet
        sheet = re.sub(
            r'<c r="B2".*?</c>',
            f'<c r="B2" t="inlineStr"><is><t>{used}</t></is></c>',
            sheet,
        )
        parts[SHEET] = f"<!DOCTYPE w [{declared}]>{sheet}".encode()

    path = workbook(tmp_path / "t.xlsx", change)
    told = ""
    with suppress(TruthError):
        told = str(texts(path))

    assert "root:" not in told
    assert len(told) < 10_000


def test_numbers_within_a_double_keep_their_digits(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "t.xlsx",
        lambda parts: parts.update(
            {
                SHEET: re.sub(
                    rb"</sheetData>",
                    b'<row r="3"><c r="A3"><v>1007542020000968</v></c><c r="B3">'
                    b'<v>1007542020000960</v></c><c r="C3"><v>1.007542020000968E15</v></c>'
                    b'<c r="D3"><v>%s</v></c></row></sheetData>' % (b"9" * 5000),
                    parts[SHEET],
                )
            }
        ),
    )

    cells = read_tables(path)[0].rows[2][1]
    assert [cell.trouble for cell in cells] == ["", "lost digits", "", "lost digits"]
    assert cells[0].text == cells[2].text == "1007542020000968"


TITLE = "2019届毕业生核对表，共两人"
SIMPLIFIED = [["文件名", "姓名", "毕业院校"], ["a.jpg", "陈思远", "江城理工大学"]]
TRADITIONAL = [["檔案", "姓名", "畢業院校"], ["a.jpg", "陳思遠", "國立臺灣大學"]]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    ("rows", "encoding"),
    [
        (SIMPLIFIED, "utf-8"),
        (SIMPLIFIED, "utf-16-le"),
        (SIMPLIFIED, "utf-16-be"),
        (SIMPLIFIED, "gbk"),
        (TRADITIONAL, "big5"),
        (TRADITIONAL, "gbk"),
        (TRADITIONAL, "utf-16"),
    ],
)
def test_a_title_above_a_table_in_any_encoding(
    tmp_path: Path, delimiter: str, rows: list[list[str]], encoding: str
) -> None:
    path = tmp_path / "t.csv"
    lines = [TITLE if rows is SIMPLIFIED else "畢業生名冊,共兩人", "", *map(delimiter.join, rows)]
    path.write_bytes("\r\n".join(lines).encode(encoding))

    assert texts(path)[1:] == rows


def test_more_commas_in_a_text_than_delimiters(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("文件;名称;经营范围\na;甲;一,二,三,四,五\nb;乙;六,七\n", encoding="utf-8")

    assert [len(row) for row in texts(path)] == [3, 3, 3]


def test_an_open_quotation_mark_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('文件名,姓名\na.jpg,"' + "x" * 200_000, encoding="utf-8")

    with pytest.raises(TruthError, match=r"t\.csv, line 2: .*quotation mark"):
        read_tables(path)


def test_a_device_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(TruthError, match="/dev/zero: is a device"):
        read_tables(Path("/dev/zero"))
    with pytest.raises(TruthError, match="cannot be read"):
        read_tables(Path("a\0.csv"))

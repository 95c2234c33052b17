"""Reading Excel and CSV sheets as text, without believing what a spreadsheet did to the values.

A spreadsheet keeps numbers as doubles: of an 18-digit code typed as a number the last digits are
gone. Every cell therefore comes out as its text together with what may be wrong with it.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ocr_moe.errors import TruthError

Trouble = Literal["", "lost digits", "error value", "formula without a result"]

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_SAFE_DIGITS = 15
_LITERALS = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')
_DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class RawCell:
    """A cell's text. `trouble` says why it cannot be used; `numeric` that it was a number."""

    text: str | None = None
    trouble: Trouble = ""
    numeric: bool = False


BLANK = RawCell()


@dataclass(frozen=True, slots=True)
class Table:
    """One sheet. `rows` are (number of the row in the file, cells)."""

    name: str
    rows: tuple[tuple[int, tuple[RawCell, ...]], ...]
    merged: tuple[tuple[int, int, int], ...] = ()
    """Vertically merged cells: (first row, last row, column counted from 0)."""


def read_tables(path: Path) -> tuple[Table, ...]:
    """All sheets of an .xlsx, .xlsm, .csv or .tsv file.

    Raises TruthError saying what the file is instead when it cannot be read.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(8)
    except FileNotFoundError as error:
        raise TruthError(f"{path}: there is no such file") from error
    except IsADirectoryError as error:
        raise TruthError(f"{path}: is a folder; an .xlsx or .csv file is wanted") from error
    except OSError as error:
        raise TruthError(f"{path}: cannot be read ({error})") from error
    if not head:
        raise TruthError(f"{path}: the file is empty")
    suffix = path.suffix.lower()
    if head.startswith(_OLE):
        raise TruthError(f"{path}: {_ole_sentence(path)}")
    if head.startswith(b"PK\x03\x04"):
        return _read_excel(path)
    if suffix in (".csv", ".tsv", ".txt"):
        return (_read_csv(path),)
    if suffix in (".xlsx", ".xlsm"):
        raise TruthError(f"{path}: is named like an Excel workbook but is not one")
    raise TruthError(f"{path}: {suffix or 'this kind of file'} is not supported; use .xlsx or .csv")


def _ole_sentence(path: Path) -> str:
    if _ENCRYPTED in path.read_bytes():
        return "the workbook is protected by a password; save it without one"
    return "an old Excel file (.xls); open it in Excel and save it as .xlsx"


def _read_excel(path: Path) -> tuple[Table, ...]:
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    def load(*, results: bool) -> Any:
        with warnings.catch_warnings():
            # openpyxl warns of validations and styles that it does not keep; we only read values.
            warnings.simplefilter("ignore")
            return openpyxl.load_workbook(io.BytesIO(data), data_only=results)

    try:
        data = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            has_formulas = any(
                b"<f" in archive.read(name)
                for name in archive.namelist()
                if name.startswith("xl/worksheets/") and name.endswith(".xml")
            )
        workbook = load(results=True)
        formulas = load(results=False) if has_formulas else None
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, OSError, EOFError) as error:
        raise TruthError(f"{path}: not a readable Excel workbook ({error})") from error
    except InvalidFileException as error:
        raise TruthError(f"{path}: not a readable Excel workbook") from error
    except SyntaxError as error:  # the XML parser's own error derives from it
        raise TruthError(f"{path}: the workbook is damaged ({error})") from error
    tables = []
    for sheet in workbook.worksheets:
        twin = formulas[sheet.title] if formulas is not None else None
        tables.append(_excel_table(sheet, twin))
    return tuple(tables)


def _excel_table(sheet: Any, formulas: Any | None) -> Table:
    grid: list[list[RawCell]] = []
    for row in sheet.iter_rows():
        cells = []
        for cell in row:
            raw = _excel_cell(cell)
            if raw is BLANK and formulas is not None:
                twin = formulas.cell(cell.row, cell.column)
                if twin.data_type == "f":
                    raw = RawCell(None, "formula without a result")
            cells.append(raw)
        grid.append(cells)
    merged = []
    for area in sheet.merged_cells.ranges:
        # Only downwards: a heading over several columns names the group, not each column.
        column, first, last = area.min_col - 1, area.min_row - 1, area.max_row - 1
        if last > first and first < len(grid) and column < len(grid[first]):
            merged.append((area.min_row, area.max_row, column))
            for index in range(first + 1, min(last + 1, len(grid))):
                grid[index][column] = grid[first][column]
    rows = tuple((number, tuple(cells)) for number, cells in enumerate(grid, start=1))
    return Table(sheet.title, rows, tuple(sorted(merged)))


def _excel_cell(cell: Any) -> RawCell:
    value = cell.value
    match value:
        case None:
            return BLANK
        case bool():
            return RawCell(str(value).upper())
        case int() | float():
            return _number(value)
        case dt.datetime():
            return RawCell(_date_text(value, cell.number_format))
        case dt.date() | dt.time():
            return RawCell(value.isoformat())
        case dt.timedelta():
            return RawCell(str(value))
    text = str(value)
    if cell.data_type == "e":
        return RawCell(text, "error value")
    return RawCell(text) if text.strip() else BLANK


def _number(value: int | float) -> RawCell:
    """The digits of a number, or trouble when it went through a double that cannot hold them.

    A whole number of more than 15 digits that is exactly a double may have been rounded to it. One
    that is no double was written by a program that kept every digit.
    """
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 10**_SAFE_DIGITS:
            return RawCell(str(int(value)), numeric=True)
        if abs(value) >= 10**_SAFE_DIGITS or value != value:
            return RawCell(repr(value), "lost digits", numeric=True)
        return RawCell(repr(value), numeric=True)
    if abs(value) < 10**_SAFE_DIGITS:
        return RawCell(str(value), numeric=True)
    try:
        rounded = int(float(value)) == value
    except OverflowError:
        rounded = False
    return RawCell(str(value), "lost digits" if rounded else "", numeric=True)


def _date_text(value: dt.datetime, number_format: str) -> str:
    """ISO 8601, without the day where the cell's format shows none."""
    if value.time() != dt.time():
        return value.isoformat(sep=" ")
    tokens = _LITERALS.sub("", number_format or "").lower()
    if "y" in tokens and "d" not in tokens:
        return f"{value:%Y-%m}" if "m" in tokens else f"{value:%Y}"
    return value.date().isoformat()


def _read_csv(path: Path) -> Table:
    text = _decode(path, path.read_bytes())
    sample = text[:8192]
    delimiter = "\t" if path.suffix.lower() == ".tsv" else _delimiter(sample)
    try:
        rows = tuple(_csv_rows(text, delimiter))
    except csv.Error as error:
        raise TruthError(f"{path}: not a readable CSV file ({error})") from error
    return Table(path.stem, rows)


def _csv_rows(text: str, delimiter: str) -> Iterator[tuple[int, tuple[RawCell, ...]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    for row in reader:
        yield reader.line_num, tuple(_csv_cell(item) for item in row)


def _csv_cell(text: str) -> RawCell:
    # ="00123" and '00123 are how spreadsheets are told to keep a code as text in a CSV file.
    text = re.sub(r'^="(.*)"$', r"\1", text.strip())
    text = re.sub(r"^'(?=\d)", "", text)
    return RawCell(text) if text else BLANK


def _delimiter(sample: str) -> str:
    first = next((line for line in sample.splitlines() if line.strip()), "")
    return max(_DELIMITERS, key=lambda char: (first.count(char), -_DELIMITERS.index(char)))


def _decode(path: Path, data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encodings = ["utf-16"]
    elif b"\x00" in data[:4096]:
        raise TruthError(f"{path}: not a text file; an .xlsx or .csv file is wanted")
    else:
        encodings = ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise TruthError(f"{path}: the text is neither UTF-8 nor GB 18030")

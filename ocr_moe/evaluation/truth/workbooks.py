"""Reading Excel workbooks, cell by cell that is there, whatever a program or a hand did to the file.

openpyxl is asked first: it tells a cell's error, its formula and its format, and keeps every digit of
a number that a program wrote. It refuses workbooks that Excel opens (an empty fill, an odd date in
the properties, strict OOXML); those are read by calamine, which looks at values alone.
"""

from __future__ import annotations

import datetime as dt
import io
import lzma
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.truth.cells import BLANK, RawCell, Row, Table, filled_down, trimmed

_SAFE_DIGITS = 15
_EXACT = 2**53
"""A double holds every whole number up to here."""
_LITERALS = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')
_MERGED = re.compile(
    rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})"'
)
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
"""Of a cell; those of choices and colours that depend on values are none."""
_CELL = re.compile(rb'<(?:\w+:)?c\s[^>]*?\br="([A-Z]{1,3})(\d{1,7})"')
_UNPACKED = 512 * 2**20
"""Bytes of a workbook's XML; a sheet of 100,000 rows and 30 columns has some 150 MB."""
_GRID = 10_000_000
"""Rows times columns: calamine keeps a sheet as a full rectangle."""
_SAVE_AGAIN = "open it in Excel or LibreOffice and save it as a new .xlsx file, or as CSV UTF-8"


def read_workbook(path: Path, data: bytes) -> tuple[Table, ...]:
    """All sheets of a workbook, given its bytes. Raises TruthError."""
    data = _checked(path, data)
    try:
        tables = tuple(_by_openpyxl(data))
    # A reader is a frontier: a damaged or merely unusual file raises whatever its innards do.
    except Exception as error:
        return _by_calamine(path, data, error)
    return tables or _by_calamine(path, data, None)


def _checked(path: Path, data: bytes) -> bytes:
    """The bytes as a ZIP archive within bounds, its names written with slashes."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = [part for part in archive.infolist() if _is_xml(part.filename)]
            # An archive cannot unpack to more than it declares: the reader stops there.
            if sum(part.file_size for part in parts) > _UNPACKED:
                raise TruthError(
                    f"{path}: unpacks to more than {_UNPACKED // 2**20} MB, which no verified sheet "
                    "does; copy the rows and columns that are needed to a new workbook"
                )
            if any("\\" in name for name in archive.namelist()):
                return _with_slashes(archive, parts)
    except _DAMAGED as error:
        raise TruthError(
            f"{path}: not a readable Excel workbook ({error}); {_SAVE_AGAIN}"
        ) from error
    return data


_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError),
    *(ValueError, LookupError, RuntimeError),
)
"""What `zipfile` raises over archives that are damaged, encrypted or packed in an unknown way."""


def _is_xml(name: str) -> bool:
    return name.lower().endswith((".xml", ".rels"))


def _with_slashes(archive: zipfile.ZipFile, parts: list[zipfile.ZipInfo]) -> bytes:
    mended = io.BytesIO()
    with zipfile.ZipFile(mended, "w") as copy:
        for part in parts:
            copy.writestr(part.filename.replace("\\", "/"), archive.read(part))
    return mended.getvalue()


def _by_openpyxl(data: bytes) -> Iterator[Table]:
    """Raises anything."""
    import openpyxl

    def load(*, results: bool) -> Any:
        return openpyxl.load_workbook(io.BytesIO(data), data_only=results, read_only=True)

    with warnings.catch_warnings(), zipfile.ZipFile(io.BytesIO(data)) as archive:
        # openpyxl warns of validations and styles that it does not keep; we only read values.
        warnings.simplefilter("ignore")
        formulas: Any = None
        for sheet in load(results=True).worksheets:
            part = archive.read(sheet._worksheet_path)
            has_formulas = _FORMULA.search(part) is not None
            if has_formulas and formulas is None:
                formulas = load(results=False)
            twin = formulas[sheet.title] if has_formulas else None
            looks = _Looks(sheet.parent)
            rows, merged = filled_down(_rows(sheet, twin, looks), _merged(part))
            yield Table(
                sheet.title,
                rows,
                merged,
                green=frozenset(looks.green),
                formulas=frozenset(looks.formulas),
            )


class _Looks:
    """Where a sheet's cells are green, and where formulas stand."""

    def __init__(self, workbook: Any) -> None:
        self.green: list[tuple[int, int]] = []
        self.formulas: list[tuple[int, int]] = []
        self._theme = _theme_colours(workbook.loaded_theme)
        self._known: dict[int, bool] = {}

    def note(self, row: int, cells: Iterable[Any]) -> None:
        for column, cell in enumerate(cells):
            style = getattr(cell, "_style_id", 0)
            if style not in self._known:
                self._known[style] = self._is_green(cell.fill)
            if self._known[style]:
                self.green.append((row, column))

    def _is_green(self, fill: Any) -> bool:
        if getattr(fill, "fill_type", None) != "solid":
            return False
        colour = fill.fgColor
        text = str(colour.rgb)[-6:] if colour.type == "rgb" else ""
        if colour.type == "theme" and 0 <= colour.theme < len(self._theme):
            text = self._theme[colour.theme]
        elif colour.type == "indexed":
            text = _INDEXED_GREENS.get(colour.indexed, "")
        try:
            red, green, blue = bytes.fromhex(text)
        except ValueError:
            return False
        return green - max(red, blue) >= _GREENER


_GREENER = 10
"""By how much green exceeds red and blue, of 255, in what people call green: the palest ones of Excel's
and LibreOffice's palettes by 13 and 11 (#E2EFDA, #DDE8CB), yellows, greys and blues not at all."""
_INDEXED_GREENS = {
    **dict.fromkeys((3, 11), "00FF00"),
    **{17: "008000", 42: "CCFFCC", 50: "99CC00", 57: "339966", 58: "003300"},
}
"""The greens of Excel's palette of 64 colours."""
_THEME_ORDER = (
    *("lt1", "dk1", "lt2", "dk2"),
    *("accent1", "accent2", "accent3", "accent4", "accent5", "accent6", "hlink", "folHlink"),
)
"""The colours of a theme as cells count them."""
_THEME_COLOUR = re.compile(
    rb"<a:(dk1|lt1|dk2|lt2|accent[1-6]|hlink|folHlink)>\s*"
    rb'<a:(?:srgbClr val|sysClr [^>]*?lastClr)="([0-9A-Fa-f]{6})"'
)


def _theme_colours(theme: bytes | None) -> list[str]:
    named = dict(_THEME_COLOUR.findall(theme or b""))
    return [named.get(name.encode(), b"").decode() for name in _THEME_ORDER]


def _merged(part: bytes) -> Iterator[tuple[int, int, int]]:
    """Cells merged downwards: a heading over several columns names the group, not each column."""
    for left, top, _, bottom in _MERGED.findall(part):
        yield int(top), int(bottom), _column(left)


def _column(letters: bytes) -> int:
    """Column by its letters, counted from 0."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number - 1


def _rows(sheet: Any, twin: Any | None, looks: _Looks) -> Iterator[Row]:
    """The rows that hold something. `twin` is the same sheet with formulas in place of results."""
    sheet.reset_dimensions()  # what the file says of its size may be wrong, or a trap
    written: Iterator[Any] = repeat(())
    if twin is not None:
        twin.reset_dimensions()
        written = chain(twin.iter_rows(), repeat(()))
    for number, (row, counterparts) in enumerate(zip(sheet.iter_rows(), written, strict=False), 1):
        if not row:  # a stray cell in the last of a million rows costs no more than itself
            continue
        cells = [_cell(cell) for cell in row]
        for index, counterpart in enumerate(counterparts[: len(cells)]):
            if counterpart.data_type != "f":
                continue
            looks.formulas.append((number, index))
            if cells[index] is BLANK:
                cells[index] = RawCell(None, "formula without a result")
        looks.note(number, row)
        if kept := trimmed(cells):
            yield number, kept


def _cell(cell: Any) -> RawCell:
    value = cell.value
    if value is not None and cell.data_type == "e":
        return RawCell(str(value), "error value")
    shown = isinstance(value, dt.datetime | int | float)
    return _value(value, cell.number_format if shown else "")


def _by_calamine(path: Path, data: bytes, refused: Exception | None) -> tuple[Table, ...]:
    """Raises TruthError for what neither reader opens; `refused` is why openpyxl did not."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            damaged = archive.testzip()
            if damaged is not None:
                raise TruthError(f"{path}: the workbook is damaged in {damaged}; {_SAVE_AGAIN}")
            for name in archive.namelist():
                if _is_xml(name) and not _is_compact(archive.read(name)):
                    raise TruthError(
                        f"{path}: a cell stands far from all others; delete the empty rows and "
                        f"columns before it, then {_SAVE_AGAIN}"
                    )
    except _DAMAGED as error:
        raise TruthError(f"{path}: the workbook is damaged ({error}); {_SAVE_AGAIN}") from error
    try:
        tables = tuple(_calamine_tables(data))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic in Rust is no Exception
        raise TruthError(
            f"{path}: not a readable Excel workbook ({refused or error}); {_SAVE_AGAIN}"
        ) from error
    if not tables:
        raise TruthError(f"{path}: the workbook has no sheet; {_SAVE_AGAIN}")
    return tables


def _is_compact(part: bytes) -> bool:
    """Whether the rectangle around a part's cells is one that memory holds."""
    rows = columns = 0
    for letters, number in _CELL.findall(part):
        rows = max(rows, int(number))
        columns = max(columns, _column(letters) + 1)
    return rows * columns <= _GRID


def _calamine_tables(data: bytes) -> Iterator[Table]:
    """Raises anything, panics of Rust among them."""
    import python_calamine

    with python_calamine.load_workbook(io.BytesIO(data)) as workbook:
        for info in workbook.sheets_metadata:
            if info.typ != python_calamine.SheetTypeEnum.WorkSheet:
                continue
            sheet = workbook.get_sheet_by_name(info.name)
            left = sheet.start[1] if sheet.start else 0
            rows = (
                (number, (BLANK,) * left + cells)
                for number, row in enumerate(sheet.iter_rows(), start=1)
                if (cells := trimmed(map(_value, row)))
            )
            areas = (
                (top + 1, bottom + 1, column)
                for (top, column), (bottom, _) in sheet.merged_cell_ranges or ()
            )
            yield Table(info.name, *filled_down(rows, areas), second_choice=True)


def _value(value: Any, number_format: str = "") -> RawCell:
    match value:
        case None:
            return BLANK
        case bool():
            return RawCell(str(value).upper())
        case int() | float():
            if "%" in number_format and "%" in _LITERALS.sub("", number_format):
                # Twelve digits are more than any rate has, and fewer than the error of a double.
                return RawCell(f"{round(value * 100, 12):.12g}%", numeric=True)
            return _number(value)
        case dt.datetime():
            return RawCell(_date_text(value, number_format), dated=True)
        case dt.date() | dt.time():
            return RawCell(value.isoformat())
        case dt.timedelta():
            return RawCell(str(value))
    text = str(value)
    return RawCell(text) if text.strip() else BLANK


def _number(value: int | float) -> RawCell:
    """The digits of a number, or trouble when it went through a double that cannot hold them.

    A spreadsheet keeps 15 digits and writes zeros for those that follow. A whole number of more
    digits that is exactly a double may have been rounded to it as well, where doubles stand wider
    apart than 1; one that is no double was written by a program that kept every digit.
    """
    if isinstance(value, float):
        if value.is_integer() and abs(value) <= _EXACT:
            return _number(int(value))
        if abs(value) >= 10**_SAFE_DIGITS or value != value:
            return RawCell(repr(value), "lost digits", numeric=True)
        return RawCell(repr(value), numeric=True)
    if abs(value) < 10**_SAFE_DIGITS:
        return RawCell(str(value), numeric=True)
    if abs(value) <= _EXACT and value % 10:
        return RawCell(str(value), numeric=True)
    try:
        rounded = int(float(value)) == value
        digits = str(value)
    except (OverflowError, ValueError):  # beyond a double, or beyond Python's limit of digits
        return RawCell("a number too long", "lost digits", numeric=True)
    return RawCell(digits, "lost digits" if rounded else "", numeric=True)


def _date_text(value: dt.datetime, number_format: str) -> str:
    """ISO 8601, without the day where the cell's format shows none."""
    if value.time() != dt.time():
        return value.isoformat(sep=" ")
    tokens = _LITERALS.sub("", number_format or "").lower()
    if "y" in tokens and "d" not in tokens:
        return f"{value:%Y-%m}" if "m" in tokens else f"{value:%Y}"
    return value.date().isoformat()

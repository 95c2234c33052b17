"""Writing Excel workbooks: text stays as it is, memory flat, and equal content gives equal bytes.

Whatever is read off a document is data: it is written as a string cell in text format, never as a
formula, number or link, so that `=1+1` stays `=1+1` and an 18-digit number keeps its digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from ocr_moe.errors import OutputError
from ocr_moe.formats.files import replacing, scratch

if TYPE_CHECKING:
    import xlsxwriter

MAX_ROWS = 1_048_575
"""Rows of data that a sheet can hold below its header."""
_MAX_TEXT = 32_000
_MAX_NOTES = 60_000
"""Cell notes a sheet; Excel opens workbooks with more of them very slowly or not at all."""
_ILLEGAL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

Style = Literal["plain", "unsure", "failed", "absent", "good", "bad", "head", "strong", "muted"]

_STYLES: dict[str, dict[str, Any]] = {
    "plain": {},
    "unsure": {"bg_color": "#FFE699"},
    "failed": {"bg_color": "#F4B6A6"},
    "absent": {"bg_color": "#EDEDED"},
    "good": {"font_color": "#1B7F4B"},
    "bad": {"bg_color": "#FBE3DE"},
    "head": {"bold": True, "bg_color": "#1F3A5F", "font_color": "#FFFFFF", "text_wrap": True},
    "strong": {"bold": True},
    "muted": {"font_color": "#808080"},
}
_MARK = {"bold": True, "font_color": "#C00000", "underline": 1}


@dataclass(frozen=True, slots=True)
class Column:
    heading: str
    width: float = 16
    number: str = "General"
    """Number format of the numbers in this column."""
    note: str = ""
    """On the heading."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A value with a look. `marks` are the (start, end) spans of a text to be marked in red."""

    value: str | int | float | None
    style: Style = "plain"
    note: str = ""
    marks: tuple[tuple[int, int], ...] = ()


Content = Cell | str | int | float | None
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Computed(Generic[Item]):
    """A column together with what stands in it."""

    heading: str
    width: float
    content: Callable[[Item], Content]
    number: str = "General"
    """Number format of the numbers in this column."""


def cell_text(text: str) -> str:
    """A text that an Excel cell can hold: no characters that XML forbids, no more than 32,000."""
    text = _ILLEGAL.sub("\ufffd", text)
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


class Sheet:
    """Rows under a frozen header; goes on in a further sheet when one is full."""

    def __init__(self, book: Book, name: str, columns: Sequence[Column]) -> None:
        self._book = book
        self._name = name
        self._columns = tuple(columns)
        self._number = 0
        self._row = 0
        self._notes = 0
        self._open()

    def append(self, cells: Sequence[Content]) -> None:
        """Add a row; numbers are numbers, everything else is text."""
        if self._row >= self._book.rows_per_sheet:
            self._finish()
            self._open()
        self._row += 1
        for index, content in enumerate(cells):
            cell = content if isinstance(content, Cell) else Cell(content)
            self._write(self._row, index, cell)

    def close(self) -> None:
        self._finish()

    def _open(self) -> None:
        self._number += 1
        self._row = 0
        self._notes = 0
        suffix = f" ({self._number})" if self._number > 1 else ""
        self._sheet = self._book.worksheet(self._name, suffix)
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_row(0, 32)
        plain = self._book.format("plain", "@")
        for index, column in enumerate(self._columns):
            self._sheet.set_column(index, index, column.width, plain)
            self._write(0, index, Cell(column.heading, "head", column.note))

    def _finish(self) -> None:
        if self._columns:
            self._sheet.autofilter(0, 0, max(self._row, 1), len(self._columns) - 1)

    def _write(self, row: int, index: int, cell: Cell) -> None:
        value = cell.value
        if isinstance(value, int | float):
            number = self._columns[index].number
            self._sheet.write_number(row, index, value, self._book.format(cell.style, number))
        elif value:
            self._write_text(row, index, cell_text(value), cell)
        elif cell.style != "plain" or cell.note:
            self._sheet.write_blank(row, index, None, self._book.format(cell.style, "@"))
        if cell.note and self._notes < _MAX_NOTES:
            self._notes += 1
            options = {"author": "ocr-moe", "x_scale": 1.6}
            self._sheet.write_comment(row, index, cell_text(cell.note), options)

    def _write_text(self, row: int, index: int, text: str, cell: Cell) -> None:
        look = self._book.format(cell.style, "@")
        pieces = _pieces(text, cell.marks)
        # Excel refuses a rich string of one piece: then the mark is the whole cell's look.
        if len(pieces) == 1:
            if pieces[0][1]:
                look = self._book.marked(cell.style)
            self._sheet.write_string(row, index, text, look)
            return
        fragments: list[Any] = []
        for piece, marked in pieces:
            fragments += [self._book.mark, piece] if marked else [piece]
        self._sheet.write_rich_string(row, index, *fragments, look)


class Table(Generic[Item]):
    """A sheet with a row an item; have one by `Book.table`."""

    def __init__(self, sheet: Sheet, columns: Sequence[Computed[Item]]) -> None:
        self._sheet = sheet
        self._columns = tuple(columns)

    def add(self, item: Item) -> None:
        self._sheet.append([column.content(item) for column in self._columns])


class Book:
    """A workbook being written; have one by `writing`."""

    def __init__(self, workbook: xlsxwriter.Workbook, rows_per_sheet: int) -> None:
        self._workbook = workbook
        self._formats: dict[tuple[str, str], Any] = {}
        self._sheets: list[Sheet] = []
        self._names: set[str] = set()
        self.rows_per_sheet = rows_per_sheet
        self.mark = workbook.add_format(_MARK)

    def sheet(self, name: str, columns: Sequence[Column]) -> Sheet:
        """A new sheet. A name that Excel refuses is made one that it takes."""
        sheet = Sheet(self, name, columns)
        self._sheets.append(sheet)
        return sheet

    def table(self, name: str, columns: Sequence[Computed[Item]]) -> Table[Item]:
        """A new sheet whose rows are items."""
        heads = [Column(column.heading, column.width, column.number) for column in columns]
        return Table(self.sheet(name, heads), columns)

    def worksheet(self, name: str, suffix: str) -> Any:
        clean = re.sub(r"[\[\]:*?/\\]", "_", _ILLEGAL.sub("_", name)).strip("'") or "sheet"
        clean, attempt = clean[: 31 - len(suffix)], 1
        while (clean + suffix).casefold() in self._names:
            attempt += 1
            tail = f"~{attempt}"
            clean = clean[: 31 - len(suffix) - len(tail)].split("~")[0] + tail
        self._names.add((clean + suffix).casefold())
        return self._workbook.add_worksheet(clean + suffix)

    def format(self, style: Style, number: str) -> Any:
        key = (style, number)
        if key not in self._formats:
            self._formats[key] = self._workbook.add_format(
                {"num_format": number, "valign": "top", **_STYLES[style]}
            )
        return self._formats[key]

    def marked(self, style: Style) -> Any:
        key = (style, "marked")
        if key not in self._formats:
            self._formats[key] = self._workbook.add_format(
                {"num_format": "@", "valign": "top", **_STYLES[style], **_MARK}
            )
        return self._formats[key]

    def finish(self) -> None:
        for sheet in self._sheets:
            sheet.close()


@contextmanager
def writing(path: Path, *, rows_per_sheet: int = MAX_ROWS) -> Iterator[Book]:
    """A workbook that takes `path`'s place when the block ends without an exception.

    Equal content gives equal bytes. Raises OutputError when writing fails.
    """
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError, FileSizeError

    if not 1 <= rows_per_sheet <= MAX_ROWS:
        raise ValueError(f"rows_per_sheet must be between 1 and {MAX_ROWS}")
    with replacing(path) as temporary, scratch(path.parent) as folder:
        workbook = xlsxwriter.Workbook(
            str(temporary),
            {
                "constant_memory": True,
                "tmpdir": str(folder),
                "strings_to_formulas": False,
                "strings_to_numbers": False,
                "strings_to_urls": False,
            },
        )
        # The time of making would be the only thing to differ between two equal workbooks.
        workbook.set_properties({"created": datetime(2000, 1, 1), "author": "ocr-moe"})
        book = Book(workbook, rows_per_sheet)
        yield book
        book.finish()
        try:
            workbook.close()
        except FileCreateError as error:
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
        except FileSizeError as error:
            raise OutputError(f"{path}: cannot be written (more than 4 GB)") from error


def _pieces(text: str, marks: Sequence[tuple[int, int]]) -> list[tuple[str, bool]]:
    """The text cut at its marks: (piece, marked)."""
    pieces: list[tuple[str, bool]] = []
    position = 0
    for start, end in sorted(marks):
        start, end = max(start, position), min(end, len(text))
        if start >= end:
            continue
        if start > position:
            pieces.append((text[position:start], False))
        pieces.append((text[start:end], True))
        position = end
    if position < len(text) or not pieces:
        pieces.append((text[position:], False))
    return pieces

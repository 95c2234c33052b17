"""Writing Excel workbooks: text stays as it is, memory flat, and equal content gives equal bytes.

Whatever is read off a document is data: it is written as a string cell in text format, never as a
formula, number or link, so that `=1+1` stays `=1+1` and an 18-digit number keeps its digits. Only what
is handed over as a date, a number or a link is one.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from math import isfinite
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

_MAX_LINKS = 65_530
"""Links a sheet; Excel takes no more."""
_MAX_ADDRESS = 2_079
"""Characters of a link's address; Excel takes no more."""
_DATE = "yyyy-mm-dd"
_A4 = 9
_MOVES_WITH_CELLS = 1
_HEAD_HEIGHT = 32
"""Points, as all heights of rows; a point is 3/4 of a pixel on the screen."""
FIRST_DATE = date(1900, 3, 1)
"""Earlier days have another number in Excel, which thinks 1900 a leap year, than elsewhere."""
CHECKED_FILL = "#92D050"
"""The light green of Excel's standard colours: one of those with which a person marks a cell."""

Style = Literal[
    "plain",
    "unsure",
    "failed",
    "absent",
    "verified",
    "checked",
    "good",
    "bad",
    "head",
    "strong",
    "title",
    "muted",
    "link",
]

_STYLES: dict[str, dict[str, Any]] = {
    "plain": {},
    "unsure": {"bg_color": "#FFE699"},
    "failed": {"bg_color": "#F4B6A6"},
    "absent": {"bg_color": "#EDEDED"},
    "verified": {"bg_color": "#DDF1E4", "font_color": "#14532D"},
    "checked": {"bg_color": CHECKED_FILL},
    "good": {"font_color": "#1B7F4B"},
    "bad": {"bg_color": "#FBE3DE"},
    "head": {"bold": True, "bg_color": "#1F3A5F", "font_color": "#FFFFFF", "text_wrap": True},
    "strong": {"bold": True},
    "title": {"bold": True, "font_size": 14},
    "link": {"font_color": "#0B5394", "underline": 1},
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
    choices: tuple[str, ...] = ()
    """Values to choose from below the heading; typing another one is warned of, not refused."""
    warning: tuple[str, str] = ("", "")
    """Title and text of that warning."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A value with a look. `marks` are the (start, end) spans of a text to be marked in red."""

    value: str | int | float | date | None
    style: Style = "plain"
    note: str = ""
    marks: tuple[tuple[int, int], ...] = ()
    link: str = ""
    """Address behind a text: an absolute URI of ASCII, or `internal:'sheet'!A1`. Never what was read
    off a document."""
    picture: bytes = b""
    """A PNG or JPEG over the cell, whose row is made high enough."""
    dated: str = _DATE
    """Number format of a date."""


Content = Cell | str | int | float | date | None
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Computed(Generic[Item]):
    """A column together with what stands in it."""

    heading: str
    width: float
    content: Callable[[Item], Content]
    number: str = "General"
    """Number format of the numbers in this column."""
    note: str = ""
    choices: tuple[str, ...] = ()
    warning: tuple[str, str] = ("", "")


def cell_text(text: str) -> str:
    """A text that an Excel cell can hold: no characters that XML forbids, no more than 32,000."""
    text = _ILLEGAL.sub("\ufffd", text)
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


class Sheet:
    """Rows under a frozen header; goes on in a further sheet when one is full.

    `frozen` columns at the left stay in sight as well. Without `header` there are only rows. Prints in
    landscape, as wide as the page, the header on every page.
    """

    def __init__(
        self,
        book: Book,
        name: str,
        columns: Sequence[Column],
        *,
        frozen: int = 0,
        header: bool = True,
        hidden: bool = False,
    ) -> None:
        self._book = book
        self._name = name
        self._columns = tuple(columns)
        self._frozen = frozen
        self._header = header
        self._hidden = hidden
        self._number = 0
        self._open()

    def append(self, cells: Sequence[Content]) -> None:
        """Add a row; numbers are numbers, dates dates, everything else is text."""
        if self._row >= self._book.rows_per_sheet:
            self._finish()
            self._open()
        self._row += 1
        row = [content if isinstance(content, Cell) else Cell(content) for content in cells]
        sizes = [picture_size(cell.picture) for cell in row if cell.picture]
        if sizes:
            tallest = max(height for _, height in sizes)
            self._sheet.set_row(self._row, tallest * 0.75 + 4)
        if sizes or not self._put(row):
            for index, cell in enumerate(row):
                self._write(self._row, index, cell)

    @property
    def name(self) -> str:
        """The name that it got, in the form in which formulas quote it."""
        return str(self._sheet.get_name()).replace("'", "''")

    def close(self) -> None:
        self._finish()

    def _open(self) -> None:
        self._number += 1
        self._row = 0 if self._header else -1
        self._notes = 0
        self._links = 0
        suffix = f" ({self._number})" if self._number > 1 else ""
        self._sheet = self._book.worksheet(self._name, suffix)
        if self._hidden:
            self._sheet.very_hidden()
        self._sheet.set_landscape()
        self._sheet.set_paper(_A4)
        self._sheet.fit_to_pages(1, 0)
        self._sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
        self._sheet.set_footer("&L&A&R&P / &N")
        plain = self._book.format("plain", "@")
        for index, column in enumerate(self._columns):
            self._sheet.set_column(index, index, column.width, plain)
        if self._header:
            self._sheet.freeze_panes(1, self._frozen)
            self._sheet.repeat_rows(0)
            self._sheet.set_row(0, _HEAD_HEIGHT)
            for index, column in enumerate(self._columns):
                self._write(0, index, Cell(column.heading, "head", column.note))

    def _finish(self) -> None:
        if not self._columns or not self._header:
            return
        from xlsxwriter.utility import xl_col_to_name

        last = max(self._row, 1)
        right = len(self._columns) - 1
        self._sheet.autofilter(0, 0, last, right)
        # Else Excel offers to make numbers of codes, which costs them their last digits.
        area = f"A1:{xl_col_to_name(right)}{last + 1}"
        self._sheet.ignore_errors({"number_stored_as_text": area})
        for index, column in enumerate(self._columns):
            if column.choices:
                title, message = column.warning
                self._sheet.data_validation(
                    *(1, index, last, index),
                    {
                        "validate": "list",
                        "source": self._book.choices(column.choices),
                        "error_type": "warning",
                        "error_title": title[:32],
                        "error_message": message[:255],
                    },
                )

    def _put(self, row: Sequence[Cell]) -> bool:
        """Write a row of plain cells at once; False, and nothing written, where one is not plain."""
        plain: list[tuple[int, str | int | float | date | None, Any]] = []
        for index, cell in enumerate(row):
            value = cell.value
            if isinstance(value, str):
                if cell.marks:
                    return False
                if value:
                    text = cell_text(value)
                    plain.append((index, text, self._book.format(cell.style, "@")))
                elif cell.style != "plain" or cell.note:
                    plain.append((index, None, self._book.format(cell.style, "@")))
            elif value is None:
                if cell.style != "plain" or cell.note:
                    plain.append((index, None, self._book.format(cell.style, "@")))
            elif isinstance(value, date):
                plain.append((index, value, self._book.format(cell.style, cell.dated)))
            elif isfinite(value):
                number = self._columns[index].number
                plain.append((index, value, self._book.format(cell.style, number)))
            else:
                return False
        self._sheet.put_row(self._row, plain)
        for index, cell in enumerate(row):
            if cell.value and self._is_linked(cell):
                self._links += 1
                self._sheet.link(self._row, index, _address(cell.link))
            self._note(self._row, index, cell)
        return True

    def _note(self, row: int, index: int, cell: Cell) -> None:
        if cell.note and self._notes < _MAX_NOTES:
            self._notes += 1
            options = {"author": "ocr-moe", "x_scale": 1.6}
            self._sheet.write_comment(row, index, cell_text(cell.note), options)

    def _write(self, row: int, index: int, cell: Cell) -> None:
        value = cell.value
        if isinstance(value, date):
            look = self._book.format(cell.style, cell.dated)
            self._sheet.write_datetime(row, index, datetime(*value.timetuple()[:3]), look)
        elif isinstance(value, int | float):
            number = self._columns[index].number
            self._sheet.write_number(row, index, value, self._book.format(cell.style, number))
        elif value:
            self._write_text(row, index, cell_text(value), cell)
        elif cell.style != "plain" or cell.note:
            self._sheet.write_blank(row, index, None, self._book.format(cell.style, "@"))
        self._note(row, index, cell)
        if cell.picture:
            place = {"x_offset": 2, "y_offset": 2, "object_position": _MOVES_WITH_CELLS}
            image = {"image_data": io.BytesIO(cell.picture), **place}
            self._sheet.insert_image(row, index, "picture", image)

    def _is_linked(self, cell: Cell) -> bool:
        return bool(cell.link) and len(cell.link) <= _MAX_ADDRESS and self._links < _MAX_LINKS

    def _write_text(self, row: int, index: int, text: str, cell: Cell) -> None:
        look = self._book.format(cell.style, "@")
        if self._is_linked(cell):
            self._links += 1
            self._sheet.write_url(row, index, _address(cell.link), look, text)
            return
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

    @property
    def name(self) -> str:
        """Of its first sheet, as Excel has it."""
        return self._sheet.name

    def add(self, item: Item) -> None:
        self._sheet.append([column.content(item) for column in self._columns])


class Book:
    """A workbook being written; have one by `writing`."""

    def __init__(self, workbook: xlsxwriter.Workbook, rows_per_sheet: int) -> None:
        from ocr_moe.formats.sheetrows import RowSheet

        self._sheet_class = RowSheet
        self._workbook = workbook
        self._formats: dict[tuple[str, str], Any] = {}
        self._sheets: list[Sheet] = []
        self._names: set[str] = set()
        self._lists: Sheet | None = None
        self._choices: dict[tuple[str, ...], int] = {}
        self.rows_per_sheet = rows_per_sheet
        self.mark = workbook.add_format(_MARK)

    def sheet(
        self,
        name: str,
        columns: Sequence[Column],
        *,
        frozen: int = 0,
        header: bool = True,
        hidden: bool = False,
    ) -> Sheet:
        """A new sheet, see `Sheet`. A name that Excel refuses is made one that it takes. One that is
        hidden is not even offered to be shown."""
        sheet = Sheet(self, name, columns, frozen=frozen, header=header, hidden=hidden)
        self._sheets.append(sheet)
        return sheet

    def table(
        self, name: str, columns: Sequence[Computed[Item]], *, frozen: int = 0
    ) -> Table[Item]:
        """A new sheet whose rows are items."""
        heads = [
            Column(each.heading, each.width, each.number, each.note, each.choices, each.warning)
            for each in columns
        ]
        return Table(self.sheet(name, heads, frozen=frozen), columns)

    def choices(self, values: Sequence[str]) -> str:
        """The range of a hidden sheet that holds these values: written out, a list of choices may
        have no more than 255 characters, and none of them a comma."""
        from xlsxwriter.utility import xl_col_to_name

        key = tuple(values)
        if self._lists is None:
            self._lists = Sheet(self, "choices", (), header=False, hidden=True)
        if key not in self._choices:
            self._lists.append(key)
            self._choices[key] = len(self._choices) + 1
        row = self._choices[key]
        last = xl_col_to_name(len(key) - 1)
        return f"='{self._lists.name}'!$A${row}:${last}${row}"

    def worksheet(self, name: str, suffix: str) -> Any:
        clean = re.sub(r"[\[\]:*?/\\]", "_", _ILLEGAL.sub("_", name)).strip("'") or "sheet"
        clean, attempt = clean[: 31 - len(suffix)], 1
        while (clean + suffix).casefold() in self._names:
            attempt += 1
            tail = f"~{attempt}"
            clean = clean[: 31 - len(suffix) - len(tail)].split("~")[0] + tail
        self._names.add((clean + suffix).casefold())
        return self._workbook.add_worksheet(clean + suffix, worksheet_class=self._sheet_class)

    def format(self, style: Style, number: str) -> Any:
        key = (style, number)
        if key not in self._formats:
            look = {"num_format": number, "valign": "top", **_STYLES[style]}
            if "yy" in number:
                look["align"] = "left"  # as the months that are text
            self._formats[key] = self._workbook.add_format(look)
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
    from xlsxwriter.exceptions import FileCreateError, FileSizeError

    from ocr_moe.formats.sheetnotes import NotedWorkbook

    if not 1 <= rows_per_sheet <= MAX_ROWS:
        raise ValueError(f"rows_per_sheet must be between 1 and {MAX_ROWS}")
    with replacing(path) as temporary, scratch(path.parent) as folder:
        workbook = NotedWorkbook(
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


def picture_size(picture: bytes) -> tuple[int, int]:
    """Width and height of a picture in pixels. Raises what PIL raises over what is none."""
    from PIL import Image

    with Image.open(io.BytesIO(picture)) as image:
        return image.size


def _address(link: str) -> str:
    return re.sub(r"(?i)^file:", "FILE:", link)


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

"""Worksheets that take whole rows: what xlsxwriter makes of the same cells, sooner.

xlsxwriter goes through a handful of calls and tables for each cell. A large workbook has millions, so
here rows of plain texts, numbers and dates are written in one go to where xlsxwriter's own rows go (its
mode `constant_memory`). Whatever else a sheet has, and rows with more in them, is xlsxwriter's. A test
holds both ways against each other, byte by byte.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

Plain = str | int | float | date | None
_SPECIAL = re.compile(r"[\x00-\x08\x0b-\x1f&<>]|_x|\A\s|\s\Z")
"""What of a text cannot be written just so."""
_EDGE = re.compile(r"\A\s|\s\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f]")
_ESCAPE_LIKE = re.compile(r"(_x[0-9a-fA-F]{4}_)")
_DAY_ZERO = date(1899, 12, 30).toordinal()
"""Of Excel's count of days, for days from March 1900 on."""


class RowSheet(Worksheet):  # type: ignore[misc]
    """A worksheet of a workbook in the mode `constant_memory`."""

    def __init__(self) -> None:
        super().__init__()
        self._written_row = -1
        """The last row that `put_row` wrote: nothing of it is to be written again."""
        self._columns: list[str] = []
        self.previous_row: int  # of Worksheet: the row that is not written out yet

    def put_row(self, row: int, cells: Sequence[tuple[int, Plain, Any]]) -> None:
        """Write (column, value, format) cells as a row below all others; None is a blank cell with a
        look. Links and notes are added to it afterwards, through `link` and `write_comment`."""
        if row > self.previous_row:
            self._write_single_row(row)
        parts = [f'<row r="{row + 1}">']
        for column, value, look in cells:
            cell = f'<c r="{self._letters(column)}{row + 1}" s="{look._get_xf_index()}"'
            match value:
                case str():
                    parts.append(f'{cell} t="inlineStr"><is>{text_element(value)}</is></c>')
                case None:
                    parts.append(f"{cell}/>")
                case date():
                    parts.append(f"{cell}><v>{value.toordinal() - _DAY_ZERO}</v></c>")
                case _:
                    parts.append(f"{cell}><v>{value:.16G}</v></c>")
        if cells:
            self._check_dimensions(row, cells[0][0])
            self._check_dimensions(row, cells[-1][0])
            parts.append("</row>")
            self.fh.write("".join(parts))
        self._written_row = row

    def link(self, row: int, column: int, address: str) -> None:
        """Have a text that `put_row` wrote lead somewhere."""
        self.ignore_write_string = True
        try:
            self.write_url(row, column, address)
        finally:
            self.ignore_write_string = False

    def _write_single_row(self, current_row_num: int = 0) -> None:
        if self.previous_row == self._written_row:
            self.previous_row = current_row_num
            self.table.clear()
        else:
            super()._write_single_row(current_row_num)

    def _letters(self, column: int) -> str:
        while column >= len(self._columns):
            self._columns.append(xl_col_to_name(len(self._columns)))
        return self._columns[column]


def text_element(text: str, *, of_note: bool = False) -> str:
    """A text as the element `t` of a cell or of a note, whose white space xlsxwriter looks for after and
    before escaping it."""
    if _SPECIAL.search(text) is None:
        return f"<t>{text}</t>"
    plain = text
    text = _CONTROL.sub(_escaped, _ESCAPE_LIKE.sub(r"_x005F\1", text))
    kept = ' xml:space="preserve"' if _EDGE.search(plain if of_note else text) else ""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<t{kept}>{text}</t>"


def _escaped(found: re.Match[str]) -> str:
    return f"_x{ord(found[0]):04X}_"

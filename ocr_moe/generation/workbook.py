"""The verified sheet of a set."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ocr_moe.generation.spec import Sample

if TYPE_CHECKING:
    from openpyxl import Workbook
    from openpyxl.worksheet.worksheet import Worksheet

EPOCH = b"2026-01-01T00:00:00Z"
ABSENT = "无"
FILE_COLUMN = "文件名"
_WIDTHS = {
    "证书编号": 24,
    "统一社会信用代码": 24,
    "经营范围": 60,
    "住所": 40,
    "名称": 34,
    "营业期限": 36,
    "类型": 28,
    "毕业院校": 24,
    "专业": 26,
    FILE_COLUMN: 44,
}


def write_truth(path: Path, samples: Sequence[Sample]) -> None:
    """Writes the sheets: a row an image, every cell text, `无` where a field is not printed; and a
    sheet for each field that is a table, with a row a row."""
    from openpyxl import Workbook

    book = Workbook()
    names = tuple(dict.fromkeys(name for sample in samples for name in sample.truth))
    sheet = book.active
    assert sheet is not None
    sheet.title = "verified"
    _fill(
        sheet,
        (FILE_COLUMN, *names),
        ([sample.file, *(sample.truth.get(name) for name in names)] for sample in samples),
    )
    for table in dict.fromkeys(table for sample in samples for table in sample.tables):
        rows = [(sample.file, row) for sample in samples for row in sample.tables.get(table, ())]
        columns = tuple(dict.fromkeys(column for _, row in rows for column in row))
        _fill(
            book.create_sheet(table),
            (FILE_COLUMN, *columns),
            ([file, *(row.get(column) for column in columns)] for file, row in rows),
        )
    book.properties.creator = "ocr-moe generate"
    _save_reproducibly(book, path)


def _fill(sheet: Worksheet, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    sheet.append(columns)
    for row in rows:
        sheet.append([cell or ABSENT for cell in row])
    for cells in sheet.iter_rows():
        for cell in cells:
            cell.number_format = "@"
            cell.data_type = "s"
    for n, column in enumerate(columns, 1):
        sheet.cell(1, n).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(n)].width = _WIDTHS.get(column, 14)
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = sheet.dimensions


def _save_reproducibly(book: Workbook, path: Path) -> None:
    """Saves so that the same cells give the same bytes: no time of writing is left in the file."""
    buffer = io.BytesIO()
    book.save(buffer)
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w") as target:
        for item in source.infolist():
            content = source.read(item)
            if item.filename == "docProps/core.xml":
                content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", EPOCH, content)
            fixed = zipfile.ZipInfo(item.filename, (2026, 1, 1, 0, 0, 0))
            fixed.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(fixed, content)

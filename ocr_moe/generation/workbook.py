"""The verified sheet of a set."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ocr_moe.generation.spec import Sample

if TYPE_CHECKING:
    from openpyxl import Workbook

EPOCH = b"2026-01-01T00:00:00Z"
ABSENT = "无"
FILE_COLUMN = "文件名"
FIELDS = {
    "graduation_certificate": (
        "姓名",
        "性别",
        "出生日期",
        "学历层次",
        "毕业日期",
        "毕业院校",
        "专业",
        "证书编号",
    ),
    "business_license": (
        "统一社会信用代码",
        "名称",
        "类型",
        "法定代表人",
        "注册资本",
        "成立日期",
        "住所",
        "营业期限",
        "经营范围",
    ),
}
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


def write_truth(path: Path, schema: str, samples: Sequence[Sample]) -> None:
    """Writes the sheet: a row an image, every cell text, `无` where a field is not printed."""
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "verified"
    columns = (FILE_COLUMN, *FIELDS[schema])
    sheet.append(columns)
    for sample in samples:
        sheet.append([sample.file, *(sample.truth[f] or ABSENT for f in FIELDS[schema])])
    for row in sheet.iter_rows():
        for cell in row:
            cell.number_format = "@"
            cell.data_type = "s"
    for n, column in enumerate(columns, 1):
        sheet.cell(1, n).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(n)].width = _WIDTHS.get(column, 14)
    sheet.freeze_panes = "B2"
    sheet.auto_filter.ref = sheet.dimensions
    book.properties.creator = "ocr-moe generate"
    _save_reproducibly(book, path)


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

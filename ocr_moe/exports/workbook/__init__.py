"""records.xlsx: the file that people hold, check and give back."""

from ocr_moe.exports.workbook.sheets import to_check
from ocr_moe.exports.workbook.writing import write_workbook

__all__ = ["to_check", "write_workbook"]

"""Whether a person touched a cell of a workbook, and what a spreadsheet did to it by itself."""

from __future__ import annotations

from dataclasses import dataclass

from ocr_moe.evaluation.truth.cells import RawCell
from ocr_moe.evaluation.truth.sheet import from_serial, is_scientific, is_serial
from ocr_moe.folds import fold_heading
from ocr_moe.formats.xlsx import cell_text
from ocr_moe.schema import Field, Kind
from ocr_moe.values.normalize import normalize
from ocr_moe.values.printed import clean_text

_MERE_MARKS = frozenset(
    fold_heading(mark)
    for mark in ("x", "v", "y", "yes", "ok", "true", "1", "done", "checked", "是", "对", "已", "好")
) | frozenset(("✓", "✔", "√", "☑", "●", "○", "已核对", "已核", "已检查", "核对", "无误", "正确"))
"""What says in the column "checked" that somebody looked, but not who."""
_NOT_CHECKED = frozenset(
    (
        *("no", "n", "false", "0", "-", "–", "?", "？", "todo"),
        *("否", "未", "未核对", "待核对", "没有"),
    )
)
"""What says there that nobody did."""
_DIGITS_KEPT = 15
"""Digits that a spreadsheet keeps of a number."""
_MONTH = len("2019-06")


@dataclass(frozen=True, slots=True)
class Mark:
    """Whether a row was marked as checked, and by whom."""

    checked: bool
    reviewer: str | None = None


def mark_of(text: str) -> Mark:
    """What a cell of the column "checked" says."""
    text = text.strip()
    if not text or text.casefold() in _NOT_CHECKED:
        return Mark(False)
    if text in _MERE_MARKS or fold_heading(text) in _MERE_MARKS:
        return Mark(True)
    return Mark(True, clean_text(text) or None)


def is_unchanged(field: Field, raw: RawCell, text: str, was: str) -> bool:
    """Whether a cell holds what was written, whatever a spreadsheet made of its form."""
    if text in (was, cell_text(was).strip()) or raw.text == cell_text(was):
        return True
    if field.kind is Kind.DATE:
        if raw.dated and len(text) <= _MONTH and was.startswith(f"{text}-"):
            return True  # a format that shows no day
        if raw.numeric and is_serial(text):
            return from_serial(text) == was
    if raw.numeric and field.kind is not Kind.CODE:
        return normalize(field, text) == was
    return clean_text(text) == clean_text(cell_text(was))


def spoilt(field: Field, raw: RawCell, text: str, was: str | None) -> str:
    """How a spreadsheet spoilt a code, in words; empty where it did not."""
    if is_scientific(text):
        return (
            "a code in scientific notation, which has lost its digits; not taken. Format the cell as "
            "text and type the code again"
        )
    before = was or ""
    rounded = (
        text.isdecimal()
        and len(text) > _DIGITS_KEPT
        and len(text) == len(before)
        and not text[_DIGITS_KEPT:].strip("0")
        and text[: _DIGITS_KEPT - 1] == before[: _DIGITS_KEPT - 1]
    )
    if rounded:
        return (
            "the code ends in zeros, as a spreadsheet makes of long numbers; not taken. Format the cell "
            "as text and type the code again"
        )
    short = field.grammars and not field.has_code_length(text)
    if raw.numeric and (text == before.lstrip("0") or short):
        return (
            "a code that was stored as a number and may have lost its leading zeros; not taken. Format "
            "the cell as text and type the code again"
        )
    return ""

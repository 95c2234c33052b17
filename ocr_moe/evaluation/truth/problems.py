"""What is wrong with the material of an evaluation: told to the user, never passed over."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ocr_moe.formats.notes import note_in
from ocr_moe.formats.phrases import Language

SHOWN = 8
"""How many of a list stand in a sentence."""


class ProblemKind(StrEnum):
    LOST_DIGITS = "lost_digits"
    """A number too long for a spreadsheet's numbers; the cell cannot be scored."""
    NUMERIC_CODE = "numeric_code"
    """A code stored as a number whose digits are all there."""
    BAD_CELL = "bad_cell"
    """A cell that holds an error or a formula without a result; it cannot be scored."""
    ODD_VALUE = "odd_value"
    """A verified value that does not look like its field's values."""
    MERGED = "merged"
    """Merged cells among the values."""
    SECOND_READER = "second_reader"
    """A workbook of which only the values could be read."""
    DUPLICATE_COLUMN = "duplicate_column"
    COLUMNS_BY_KIND = "columns_by_kind"
    """Columns of one field, each for another kind of document of the same subject."""
    MONTHS = "months"
    """A column of dates without days: days are not compared."""
    CONTRADICTION = "contradiction"
    """Rows for one document that say different things; the cells in question are left out."""
    DUPLICATE_ROW = "duplicate_row"
    NAMESAKES = "namesakes"
    """Rows or documents of several subjects with one name; left out, not merged."""
    AMBIGUOUS = "ambiguous"
    """A row that fits several documents; left out."""
    NO_KEY = "no_key"
    """A row that does not say which document it is about."""
    UNCHECKED = "unchecked"
    """A row that nobody marked as checked, in a sheet that has a column for it."""
    BY_CODE = "by_code"
    """A sheet that names neither files nor subjects."""
    COMPARED_AS = "compared_as"
    """How two columns of a sheet were compared."""
    UNKNOWN_COLUMN = "unknown_column"
    FIELD_WITHOUT_COLUMN = "field_without_column"
    OTHER_SHEET = "other_sheet"
    MISSING_RECORD = "missing_record"
    """A strategy has no record for documents that others have."""
    OTHER_SCHEMA = "other_schema"
    """Documents that were taken for another kind than the sheet's."""
    FEW_DOCUMENTS = "few_documents"
    CHOSEN_BY_DOUBT = "chosen_by_doubt"
    """What was verified was not drawn by chance: people looked at doubtful cells first."""
    PEOPLES_WORD = "peoples_word"
    """How many cells of a reviewed run are not scored as they stand, but as they were read."""
    CHECKED_CELLS = "checked_cells"
    """How many cells of a corrected records.xlsx were checked, and how many were not."""
    SHEET_DIFFERS = "sheet_differs"
    """A verified cell that says something else than what a run is sure of."""
    NOT_TAKEN = "not_taken"
    """A correction in a records.xlsx that cannot be used; what to do is said."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One sentence about the material, with the rows of the sheet that it is about."""

    kind: ProblemKind
    message: str
    field: str | None = None
    rows: tuple[int, ...] = ()
    source: str = ""

    @property
    def sentence(self) -> str:
        where = f" ({_rows(self.rows)})" if self.rows else ""
        source = f"{self.source}: " if self.source else ""
        return f"{source}{self.message}{where}"

    def told(self, language: Language) -> str:
        """The sentence in a language."""
        if language == "en":
            return self.sentence
        rows = "、".join(map(str, self.rows[:SHOWN])) + " 等" * (len(self.rows) > SHOWN)
        where = f"（第 {rows} 行）" if self.rows else ""
        source = f"{self.source}：" if self.source else ""
        return f"{source}{note_in(self.message, language)}{where}"


class Notebook:
    """Collects problems; the same one in many rows is kept once, with all its rows."""

    def __init__(self, source: str = "") -> None:
        self._source = source
        self._rows: dict[tuple[ProblemKind, str, str | None], list[int]] = {}

    def add(
        self, kind: ProblemKind, message: str, field: str | None = None, row: int | None = None
    ) -> None:
        rows = self._rows.setdefault((kind, message, field), [])
        if row is not None:
            rows.append(row)

    def problems(self) -> tuple[Problem, ...]:
        return tuple(
            Problem(kind, message, field, tuple(dict.fromkeys(rows)), self._source)
            for (kind, message, field), rows in self._rows.items()
        )


def listed(items: Iterable[str], shown: int = SHOWN) -> str:
    """A few of many, for a sentence: `a, b, c … and 12 more`."""
    everything = list(items)
    head = ", ".join(everything[:shown])
    more = len(everything) - shown
    return f"{head} … and {more} more" if more > 0 else head


def _rows(rows: tuple[int, ...]) -> str:
    word = "row" if len(rows) == 1 else "rows"
    return f"{word} {listed([str(row) for row in rows])}"

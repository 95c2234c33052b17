"""The verified sheet: what the documents really say.

A sheet is read for one schema. Its header row is found by the headings that the schema's fields go
by; each row says which document (by file name) or which subject (by the student's name) it is
about. What cannot be trusted is left out and told, never guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.truth.cells import BLANK, RawCell, Table
from ocr_moe.evaluation.truth.problems import Notebook, Problem, ProblemKind, listed
from ocr_moe.evaluation.truth.tables import read_tables
from ocr_moe.folds import fold_heading
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.settings import TruthOptions
from ocr_moe.subjects import kind_rank
from ocr_moe.values.dates import agree_as_far_as_both_go
from ocr_moe.values.normalize import equal, normalize
from ocr_moe.values.printed import clean_text

FILE_HEADINGS = (
    *("document", "file", "filename", "file name", "file_name", "path", "image", "image name"),
    *("文件", "文件名", "文件名称", "文件路径", "路径", "图片", "图片名", "图片名称", "图片文件"),
    *("图片文件名", "图像", "图像文件名", "扫描件", "影像", "附件"),
)
PAGE_HEADINGS = ("page", "page number", "页", "页码", "页号")
PART_HEADINGS = ("part", "part number", "部分", "份")
CHECKED_HEADINGS = ("checked", "checked by", "已核对", "核对人")
"""Of the column in which whoever checked a row says so: where there is one, only rows that are marked in
it count."""
UNCHECKED = frozenset(
    (
        *("", "no", "n", "false", "0", "-", "–", "?", "todo"),
        *("否", "未", "未核对", "待核对", "没有"),
    )
)
"""What marks no row there."""
SUBJECT_HEADINGS = ("subject", "student", "学生", "学生姓名", "姓名", "name")
HEADER_ROWS = 30
"""Rows that hold something, among which the headings are looked for."""
_FILE_NAME = re.compile(r"(?i).+\.(jpe?g|png|webp|bmp|gif|tiff?|pdf|heic|heif)$")
_SCIENTIFIC = re.compile(r"\d(\.\d+)?[eE]\+\d+")
_DAY_ZERO_RANGE = (2200, 80_000)
_MONTH, _DAY = len("2019-06"), len("2019-06-20")


@dataclass(frozen=True, slots=True)
class TruthCell:
    """A verified cell: `value` is normalised, None means verified as absent."""

    raw: str
    value: str | None
    months: bool = False
    """A date without a day, from a column of such: the day of a reading is not looked at."""

    def says(self, item: Field, value: str | None) -> bool:
        """Whether a reading of the field is what was verified; None reads it as absent."""
        if self.value is None or value is None:
            return self.value is value
        return (
            value == self.value
            or equal(item, self.raw, value)
            or (self.months and agree_as_far_as_both_go(self.value, value))
        )


Place = tuple[str, int, str, int, int]
"""Sheet, row, key, page and part."""


@dataclass(frozen=True, slots=True)
class TruthRow:
    """A row of the sheet: `cells` holds only what can be scored, by field name."""

    number: int
    key: str
    page: int | None
    cells: Mapping[str, TruthCell]
    of_kind: Mapping[int, Mapping[str, TruthCell]] = field(default_factory=dict)
    """What holds only for the subject's document of one kind (its rank in the schema's
    `kind_order`): a sheet may keep 毕业证书编号 and 学位证书编号 in one row."""
    part: int | None = None
    """Which of the documents on the page, where the sheet says so."""
    sheet: str = ""

    @property
    def place(self) -> Place:
        """Where it stands in the file, and of what: of no other row both are the same."""
        return self.sheet, self.number, self.key, self.page or 0, self.part or 0


@dataclass(frozen=True, slots=True)
class Truth:
    schema: Schema
    source: Path
    sheet: str
    by: Literal["file", "subject", "code"]
    """What the rows say which document they are about by."""
    fields: tuple[str, ...]
    """The schema's fields that have a column, in the schema's order."""
    rows: tuple[TruthRow, ...]
    blank: int
    """Empty cells, left out as unverified."""
    unscorable: int
    """Cells left out because their content was damaged."""
    problems: tuple[Problem, ...]
    unchecked: int = 0
    """Rows left out because nobody marked them as checked."""


def load_truth(path: Path, schema: Schema, options: TruthOptions | None = None) -> Truth:
    """Read a verified sheet for one schema.

    Raises TruthError when the file cannot be read, no column is one of the schema's fields, or no
    column says which document a row is about; the message says what was found and what would do.
    """
    return load_truth_tables(path, read_tables(path), schema, options)


def load_truth_tables(
    path: Path, tables: Sequence[Table], schema: Schema, options: TruthOptions | None = None
) -> Truth:
    """`load_truth` for sheets that were already read. Raises TruthError."""
    options = options or TruthOptions()
    tables = _wanted(path, tables, options.sheet)
    found = [(table, header) for table in tables if (header := _find_header(table, schema))]
    if not found:
        raise TruthError(_no_column(path, tables, schema))
    table, header = max(found, key=lambda item: len(item[1].columns))
    # A class a sheet, or one that was full: sheets of the same headings are one.
    alike = [
        (other, its) for other, its in found if _named(its.headings) == _named(header.headings)
    ]
    used = [pair for pair in alike if len(pair[0].rows) > pair[1].row + 1] or [(table, header)]
    notebook = Notebook(path.name)
    if table.second_choice:
        notebook.add(
            ProblemKind.SECOND_READER,
            "only the values of this workbook could be read: errors look like empty cells, and "
            "dates of months like full ones; save it anew in Excel to be sure",
        )
    others = [other.name for other, its in found if (other, its) not in alike]
    if others:
        notebook.add(
            ProblemKind.OTHER_SHEET,
            f"sheet {table.name!r} was used; {listed(map(repr, others))} would have fitted too",
        )
    truths = []
    for each, its in used:
        notes = Notebook(f"{path.name}, {each.name}") if len(used) > 1 else notebook
        truths.append(_Reader(path, each, its, schema, options, notes).read())
    return _together(path, truths, notebook if len(used) > 1 else Notebook())


def _together(path: Path, truths: Sequence[Truth], notebook: Notebook) -> Truth:
    """Sheets of the same headings as one truth. Raises TruthError when there is no row in them."""
    filled = [truth for truth in truths if truth.rows]
    if not filled:
        if any(truth.unchecked for truth in truths):
            raise TruthError(
                f"{path}: no row is marked as checked: write into the column "
                f"{CHECKED_HEADINGS[0]!r} (已核对) who checked a row, or take the "
                "column out where every row is"
            )
        raise TruthError(f"{path}: there are no rows below the headings")
    used = [truth for truth in filled if truth.by == filled[0].by]
    for other in filled:
        if other not in used:
            notebook.add(
                ProblemKind.OTHER_SHEET,
                f"sheet {other.sheet!r} was not used: it names {other.by}s, {used[0].sheet!r} "
                f"{used[0].by}s",
            )
    told: dict[tuple[object, ...], Problem] = {}
    for problem in (problem for truth in truths for problem in truth.problems):
        where = problem.source if problem.rows else ""
        told.setdefault((problem.kind, problem.message, problem.field, where), problem)
    return replace(
        used[0],
        sheet=", ".join(truth.sheet for truth in used),
        rows=tuple(row for truth in used for row in truth.rows),
        blank=sum(truth.blank for truth in used),
        unscorable=sum(truth.unscorable for truth in used),
        unchecked=sum(truth.unchecked for truth in truths),
        problems=(*notebook.problems(), *told.values()),
    )


def usable_columns(tables: Iterable[Table], schema: Schema) -> int:
    """How many of the schema's fields the best sheet has a column for."""
    headers = [_find_header(table, schema) for table in tables]
    return max((len(header.columns) for header in headers if header), default=0)


def same_heading(heading: str, name: str) -> bool:
    """Whether a column's heading is that name, spaces, case and remarks in brackets aside."""
    return fold_heading(name) in (fold_heading(heading), _bare(heading))


@dataclass(frozen=True, slots=True)
class _Header:
    row: int
    """Index into the table's rows."""
    headings: tuple[str, ...]
    columns: Mapping[str, tuple[int, ...]]
    """The columns of each field, its own name before its aliases."""

    @property
    def taken(self) -> frozenset[int]:
        """All columns that are of a field."""
        return frozenset(column for columns in self.columns.values() for column in columns)


def _wanted(path: Path, tables: Sequence[Table], name: str | None) -> Sequence[Table]:
    if name is None:
        return tables
    chosen = [table for table in tables if table.name == name]
    if not chosen:
        there = listed(repr(table.name) for table in tables)
        raise TruthError(f"{path}: there is no sheet {name!r}; there are {there}")
    return chosen


def _find_header(table: Table, schema: Schema) -> _Header | None:
    """The row with most headings of the schema among the first rows of the sheet."""
    best: _Header | None = None
    for index, (_, cells) in enumerate(table.rows[:HEADER_ROWS]):
        headings = tuple((cell.text or "").strip() for cell in cells)
        columns = _match_fields(headings, schema)
        if columns and (best is None or len(columns) > len(best.columns)):
            best = _Header(index, headings, columns)
    return best


def _match_fields(headings: Sequence[str], schema: Schema) -> dict[str, tuple[int, ...]]:
    """field → columns; a field's own name goes before its aliases."""
    fields: dict[str, tuple[int, ...]] = {}
    columns: dict[str, list[int]] = {}
    for index, heading in enumerate(headings):
        for form in {fold_heading(heading), _bare(heading)} - {""}:
            columns.setdefault(form, []).append(index)
    for item in schema.one_valued:
        matching = list(
            dict.fromkeys(
                index
                for name in (item.name, *item.aliases)
                for index in columns.get(fold_heading(name), ())
            )
        )
        if matching:
            fields[item.name] = tuple(matching)
    return fields


def _named(headings: Iterable[str]) -> list[str]:
    """The headings, folded, without empty ones."""
    return list(filter(None, map(fold_heading, headings)))


def _bare(heading: str) -> str:
    """Without a remark in brackets: 证书编号(必填) is 证书编号."""
    return re.sub(r"[(\[【].*?[)\]】]", "", fold_heading(heading))


def _no_column(path: Path, tables: Sequence[Table], schema: Schema) -> str:
    found = [
        f"{table.name!r}: {listed(texts)}"
        for table in tables
        if (texts := next(filter(None, (_texts(cells) for _, cells in table.rows)), []))
    ]
    would_do = [
        f"{item.name} ({listed(item.aliases, 3)})" if item.aliases else item.name
        for item in schema.one_valued
    ]
    return (
        f"{path}: no column is a field of {schema.name}. "
        f"First row found: {'; '.join(found) or 'nothing, the sheet is empty'}. "
        f"Headings that would do: {listed(would_do, 12)}"
    )


def _texts(cells: Sequence[RawCell]) -> list[str]:
    return [cell.text.strip() for cell in cells if cell.text and cell.text.strip()]


class _Reader:
    """Reads the rows below a header."""

    def __init__(
        self,
        path: Path,
        table: Table,
        header: _Header,
        schema: Schema,
        options: TruthOptions,
        notebook: Notebook,
    ) -> None:
        self._path = path
        self._table = table
        self._schema = schema
        self._options = options
        self._notes = notebook
        self._body = table.rows[header.row + 1 :]
        self._header = header
        self._header = replace(header, columns={**header.columns, **self._told_by_values()})
        self._absent = {fold_heading(marker) or marker for marker in options.absent}
        self._blank = 0
        self._unscorable = 0
        self._known: dict[tuple[str, str], str | None] = {}

    def read(self) -> Truth:
        by, key_column = self._key_column()
        page_column = self._column_of(PAGE_HEADINGS)
        part_column = self._column_of(PART_HEADINGS)
        checked_column = self._column_of(CHECKED_HEADINGS)
        self._note_columns()
        self._suspects = {
            column: self._rounded_texts(column)
            for item in self._fields()
            if item.kind is Kind.CODE
            for column in self._header.columns[item.name]
        }
        rows: list[TruthRow] = []
        unchecked: list[int] = []
        for number, cells in self._body:
            if not any(cell.text or cell.trouble for cell in cells):
                continue
            key = _key_text(_at(cells, key_column)) or self._other_key(cells)
            if key and checked_column is not None and not _is_marked(_at(cells, checked_column)):
                unchecked.append(number)
                continue
            if not key:
                if all(_at(cells, column) is BLANK for column in self._header.taken):
                    continue
                self._notes.add(
                    ProblemKind.NO_KEY,
                    f"the column {self._header.headings[key_column]!r} is empty; row left out",
                    row=number,
                )
                continue
            row = self._row(cells, number, key)
            page = self._counted(cells, page_column, number, "page")
            part = self._counted(cells, part_column, number, "part")
            rows.append(replace(row, page=page, part=part))
        if checked_column is not None:
            for number in unchecked:
                self._notes.add(
                    ProblemKind.UNCHECKED,
                    f"the column {self._header.headings[checked_column]!r} is empty: nobody checked "
                    "the row; left out as unverified",
                    row=number,
                )
        return Truth(
            schema=self._schema,
            source=self._path,
            sheet=self._table.name,
            by=by,
            fields=tuple(item.name for item in self._fields()),
            rows=self._in_months(rows),
            blank=self._blank,
            unscorable=self._unscorable,
            problems=self._notes.problems(),
            unchecked=len(unchecked),
        )

    def _other_key(self, cells: Sequence[RawCell]) -> str:
        """What else says which document a row is about: a person's or subject's name, or a code."""
        rule = self._schema.subjects
        for item in self._fields():
            if item.kind is Kind.CODE or (rule is not None and item.name == rule.name_field):
                for column in self._header.columns[item.name]:
                    if text := _key_text(_at(cells, column)):
                        return text
        return ""

    def _told_by_values(self) -> dict[str, tuple[int, ...]]:
        """Columns of closed lists under headings of the sheet's own: 文化程度 with 本科 and 硕士.

        Where two columns would do for a field, neither is taken.
        """
        found: dict[str, tuple[int, ...]] = {}
        for item in self._schema.one_valued:
            if item.kind is not Kind.ENUM or item.name in self._header.columns:
                continue
            words = {
                fold_heading(word)
                for value, synonyms in item.values.items()
                for word in (value, *synonyms)
            }
            fitting = [
                column
                for column, heading in enumerate(self._header.headings)
                if heading and column not in self._header.taken and self._holds(column, words)
            ]
            if len(fitting) == 1:
                found[item.name] = tuple(fitting)
                self._notes.add(
                    ProblemKind.UNKNOWN_COLUMN,
                    f"the column {self._header.headings[fitting[0]]!r} was taken for {item.name}, "
                    "by its values",
                    item.name,
                )
        return found

    def _holds(self, column: int, words: Collection[str]) -> bool:
        """Whether at least 8 of 10 filled cells of a column are one of the words."""
        texts = [text for _, cells in self._body if (text := _at(cells, column).text)]
        known = sum(fold_heading(text) in words for text in texts)
        return bool(texts) and known >= 0.8 * len(texts)

    def _fields(self) -> list[Field]:
        return [item for item in self._schema.fields if item.name in self._header.columns]

    def _row(self, cells: Sequence[RawCell], number: int, key: str) -> TruthRow:
        scored: dict[str, TruthCell] = {}
        of_kind: dict[int, dict[str, TruthCell]] = {}
        for item in self._fields():
            filled: dict[int | None, Sequence[int]] = {
                kind: present
                for kind, columns in self._by_kind(item).items()
                if (present := [column for column in columns if _at(cells, column) is not BLANK])
            }
            # With none filled, the first stands for all: one empty cell, not several.
            for kind, columns in (filled or {None: self._header.columns[item.name][:1]}).items():
                cell = self._filled(item, cells, columns, number)
                if cell is not None:
                    (scored if kind is None else of_kind.setdefault(kind, {}))[item.name] = cell
        return TruthRow(number, key, None, scored, of_kind, sheet=self._table.name)

    def _by_kind(self, item: Field) -> Mapping[int | None, Sequence[int]]:
        """A field's columns, parted where their headings name different kinds of document."""
        columns = self._header.columns[item.name]
        rule = self._schema.subjects
        together: Mapping[int | None, Sequence[int]] = {None: columns}
        if rule is None or len(columns) == 1:
            return together
        kinds = {column: kind_rank(rule, self._header.headings[column]) for column in columns}
        if len(set(kinds.values()) - {None}) < 2:
            return together
        groups: dict[int | None, list[int]] = {}
        for column, kind in kinds.items():
            groups.setdefault(kind, []).append(column)
        return groups

    def _filled(
        self, item: Field, cells: Sequence[RawCell], columns: Sequence[int], number: int
    ) -> TruthCell | None:
        """The first of a row's cells for a field that can be scored."""
        sound_first = sorted(columns, key=lambda column: bool(_at(cells, column).trouble))
        for column in sound_first:
            damaged = number in self._suspects.get(column, ())
            cell = self._cell(item, _at(cells, column), number, damaged=damaged)
            if cell is not None:
                return cell
        return None

    def _in_months(self, rows: Sequence[TruthRow]) -> tuple[TruthRow, ...]:
        """The rows, with dates marked that stand in a column of months.

        A column is one of months where most of its dates have no day.
        """
        of_months = set()
        for item in self._fields():
            if item.kind is not Kind.DATE:
                continue
            lengths = Counter(
                len(row.cells[item.name].value or "") for row in rows if item.name in row.cells
            )
            if lengths[_MONTH] > lengths[_DAY]:
                of_months.add(item.name)
                self._notes.add(
                    ProblemKind.MONTHS,
                    f"{item.name}: a column of months; the days of readings are not compared",
                    item.name,
                )
        if not of_months:
            return tuple(rows)
        return tuple(
            replace(
                row,
                cells={
                    name: replace(cell, months=True)
                    if name in of_months and len(cell.value or "") == _MONTH
                    else cell
                    for name, cell in row.cells.items()
                },
            )
            for row in rows
        )

    def _key_column(self) -> tuple[Literal["file", "subject", "code"], int]:
        options = self._options
        if options.file_column is not None:
            return "file", self._column_named(options.file_column)
        if options.subject_column is not None:
            return "subject", self._column_named(options.subject_column)
        column = self._column_of(FILE_HEADINGS)
        if column is not None and any(_at(cells, column).text for _, cells in self._body):
            return "file", column
        column = self._column_with_file_names()
        if column is not None:
            return "file", column
        if (rule := self._schema.subjects) is not None:
            named = self._header.columns.get(rule.name_field, ())
            column = named[0] if named else self._column_of(SUBJECT_HEADINGS)
            if column is None and not rule.name_field:
                column = next(
                    (
                        self._header.columns[item.name][0]
                        for item in self._fields()
                        if item.kind is Kind.PERSON
                    ),
                    None,
                )
            if column is not None:
                return "subject", column
        code = next((item for item in self._fields() if item.kind is Kind.CODE), None)
        if code is not None:
            self._notes.add(
                ProblemKind.BY_CODE,
                f"no column names files: documents are found by {code.name} as it was read",
            )
            return "code", self._header.columns[code.name][0]
        subject = (
            f" or the subject ({listed(SUBJECT_HEADINGS, 4)})" if self._schema.subjects else ""
        )
        raise TruthError(
            f"{self._path}: no column says which document a row is about. Found: "
            f"{listed(filter(None, self._header.headings), 20)}. Name the file in a column "
            f"{listed(FILE_HEADINGS, 3)} or 文件名{subject}, or say which column it is"
        )

    def _column_named(self, name: str) -> int:
        column = self._column_of((name,))
        if column is None:
            there = listed(filter(None, self._header.headings), 20)
            raise TruthError(f"{self._path}: there is no column {name!r}; there are {there}")
        return column

    def _column_of(self, names: Iterable[str]) -> int | None:
        plain = [fold_heading(heading) for heading in self._header.headings]
        for name in names:
            if fold_heading(name) in plain:
                return plain.index(fold_heading(name))
        return None

    def _column_with_file_names(self) -> int | None:
        for index in range(len(self._header.headings)):
            if index in self._header.taken:
                continue
            texts = [text for _, cells in self._body if (text := _at(cells, index).text)]
            names = sum(bool(_FILE_NAME.match(text.strip())) for text in texts)
            if texts and names >= 0.8 * len(texts):
                heading = self._header.headings[index] or f"number {index + 1}"
                self._notes.add(
                    ProblemKind.UNKNOWN_COLUMN,
                    f"the column {heading!r} was taken for the file names",
                )
                return index
        return None

    def _note_columns(self) -> None:
        for item in self._fields():
            columns = self._header.columns[item.name]
            headings = listed(self._header.headings[column] for column in columns)
            if len(self._by_kind(item)) > 1:
                self._notes.add(
                    ProblemKind.COLUMNS_BY_KIND,
                    f"{item.name}: the columns {headings} each count for their own kind of document",
                    item.name,
                )
            elif len(columns) > 1:
                self._notes.add(
                    ProblemKind.DUPLICATE_COLUMN,
                    f"several columns are {item.name} ({headings}); the one that is filled counts, "
                    "the first where several are",
                    item.name,
                )
        for item in self._schema.one_valued:
            if item.name not in self._header.columns:
                self._notes.add(
                    ProblemKind.FIELD_WITHOUT_COLUMN,
                    f"no column for {item.name}; the field is not scored",
                    item.name,
                )
        first = self._body[0][0] if self._body else 0
        for top, bottom, column in self._table.merged:
            if bottom >= first and column in self._header.taken:
                self._notes.add(
                    ProblemKind.MERGED,
                    "merged cells: the value counts for each of their rows",
                    row=max(top, first),
                )

    def _counted(
        self, cells: Sequence[RawCell], column: int | None, number: int, what: str
    ) -> int | None:
        """Which page, or which part of one, a row is about; None where it does not say."""
        if column is None:
            return None
        text = _at(cells, column).text
        if text is None:
            return None
        if text.strip().isdecimal() and len(text) < 10 and int(text) >= 1:
            return int(text)
        self._notes.add(ProblemKind.BAD_CELL, f"{text!r} is not a {what} number", row=number)
        return None

    def _cell(self, item: Field, raw: RawCell, number: int, *, damaged: bool) -> TruthCell | None:
        """What can be scored of a cell, or None."""
        if raw.trouble == "lost digits" or damaged:
            message = (
                f"{item.name}: a number of more than 15 digits lost its last ones in the "
                "spreadsheet; store codes as text"
            )
            self._unusable(ProblemKind.LOST_DIGITS, message, item, number)
            return None
        if raw.trouble:
            message = f"{item.name}: {raw.trouble}"
            self._unusable(ProblemKind.BAD_CELL, message, item, number)
            return None
        if raw.text is None:
            if self._options.blank == "absent":
                return TruthCell("", None)
            self._blank += 1
            return None
        text = raw.text.strip()
        if (fold_heading(text) or text) in self._absent:
            return TruthCell(text, None)
        if item.kind is Kind.CODE and is_scientific(text):
            message = f"{item.name}: a code in scientific notation has lost its digits"
            self._unusable(ProblemKind.LOST_DIGITS, message, item, number)
            return None
        if raw.numeric:
            text = self._from_number(item, text, number)
        elif item.kind is Kind.DATE and self._normalized(item, text) is None:
            text = self._from_serial(item, text, number) or text
        return self._verified(item, text, number) if text else None

    def _verified(self, item: Field, text: str, number: int) -> TruthCell:
        value = self._normalized(item, text)
        if value is None:
            self._notes.add(
                ProblemKind.ODD_VALUE,
                f"{item.name}: not a value of the kind {item.kind.value}; compared as text",
                item.name,
                number,
            )
        elif item.kind is Kind.CODE and item.grammars and not item.has_code_length(value):
            self._notes.add(
                ProblemKind.ODD_VALUE,
                f"{item.name}: a length that no known code of the field has",
                item.name,
                number,
            )
        return TruthCell(text, value if value is not None else clean_text(text) or text)

    def _normalized(self, item: Field, text: str) -> str | None:
        # Schools, majors and dates repeat from row to row.
        key = (item.name, text)
        if key not in self._known:
            self._known[key] = normalize(item, text)
        return self._known[key]

    def _from_number(self, item: Field, text: str, number: int) -> str:
        """The text that a numeric cell stands for; empty when it cannot be told."""
        if item.kind is Kind.DATE and (date := self._from_serial(item, text, number)):
            return date
        if item.kind is not Kind.CODE:
            return text
        if item.grammars and not item.has_code_length(text) and _is_short(item, text):
            self._unusable(
                ProblemKind.LOST_DIGITS,
                f"{item.name}: a number that is too short; it may have lost leading zeros",
                item,
                number,
            )
            return ""
        self._notes.add(
            ProblemKind.NUMERIC_CODE,
            f"{item.name}: stored as a number; its digits are complete, but store codes as text",
            item.name,
            number,
        )
        return text

    def _from_serial(self, item: Field, text: str, number: int) -> str:
        """The date of a day number of Excel; empty where the text is none."""
        if not is_serial(text):
            return ""
        self._notes.add(
            ProblemKind.ODD_VALUE,
            f"{item.name}: a plain number, taken for a date of Excel",
            item.name,
            number,
        )
        return from_serial(text)

    def _unusable(self, kind: ProblemKind, message: str, item: Field, number: int) -> None:
        self._unscorable += 1
        self._notes.add(kind, message, item.name, number)

    def _rounded_texts(self, column: int) -> frozenset[int]:
        """Rows whose code, kept as text, looks rounded to 15 digits more often than by chance.

        An honest code of 18 digits ends in 000 once in a thousand; a column in which many do went
        through a spreadsheet's numbers before it became text.
        """
        from scipy.stats import binom

        lengths: Counter[int] = Counter()
        rounded: dict[int, list[int]] = {}
        for number, cells in self._body:
            text = (_at(cells, column).text or "").strip()
            if text.isdecimal() and len(text) > 15:
                lengths[len(text)] += 1
                if not text[15:].strip("0"):
                    rounded.setdefault(len(text), []).append(number)
        suspects: set[int] = set()
        for length, numbers in rounded.items():
            by_chance = binom.sf(len(numbers) - 1, lengths[length], 10.0 ** (15 - length))
            if by_chance < 1e-3:
                suspects.update(numbers)
        return frozenset(suspects)


def is_serial(text: str) -> bool:
    """Whether a text may be a day as Excel counts them: 43636 is 2019-06-20."""
    if not (text.isdecimal() and len(text) <= 5):
        return False
    return _DAY_ZERO_RANGE[0] <= int(text) <= _DAY_ZERO_RANGE[1]


def from_serial(text: str) -> str:
    """The ISO date of such a day."""
    from openpyxl.utils.datetime import from_excel

    return str(from_excel(int(text)).date().isoformat())


def is_scientific(text: str) -> bool:
    """Whether a spreadsheet wrote a long number as 1.06131E+17."""
    return _SCIENTIFIC.fullmatch(text) is not None


def _at(cells: Sequence[RawCell], index: int) -> RawCell:
    return cells[index] if index < len(cells) else BLANK


def _key_text(cell: RawCell) -> str:
    return unicodedata.normalize("NFC", cell.text.strip()) if cell.text else ""


def _is_marked(cell: RawCell) -> bool:
    return fold_heading(cell.text or "") not in UNCHECKED


def _is_short(item: Field, value: str) -> bool:
    return any(len(value) < grammar.shortest for grammar in item.grammars)

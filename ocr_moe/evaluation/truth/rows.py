"""Verified rows of tables: sheets in which a row is a row of a document's table.

Such a sheet has a column that names the document and columns of a field of kind `table`, more of these
than of the document's own fields. It stands in the workbook of the verified sheet or in a file of its
own. What an empty cell, the marks of absence and a column of checked rows mean is the same as there; a
row in which everything is absent says that the document has no such table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from pathlib import Path, PurePosixPath

from ocr_moe.evaluation.truth.cells import RawCell, Row, Table
from ocr_moe.evaluation.truth.problems import Notebook, Problem, ProblemKind, listed
from ocr_moe.evaluation.truth.sheet import (
    CHECKED_HEADINGS,
    FILE_HEADINGS,
    HEADER_ROWS,
    PAGE_HEADINGS,
    PART_HEADINGS,
    UNCHECKED,
    same_heading,
)
from ocr_moe.folds import fold_heading, fold_path
from ocr_moe.schema import Field, Schema
from ocr_moe.settings import TruthOptions
from ocr_moe.subjects import DocumentKey
from ocr_moe.values.normalize import normalize


@dataclass(frozen=True, slots=True)
class TruthRow:
    """A verified row: column → value, None for what is verified as absent. Columns of which the sheet
    says nothing are left out."""

    cells: Mapping[str, str | None]
    row: int
    """In the sheet, counted from 1."""
    whole: Mapping[str, str | None] = dataclass_field(default_factory=dict)
    """The row with the cells that nobody verified, by which it is known again; empty where all are."""

    @property
    def known_by(self) -> Mapping[str, str | None]:
        """What to match it by."""
        return self.whole or self.cells


@dataclass(frozen=True)
class TableTruth:
    """The verified rows of one field of kind table."""

    schema: Schema
    field: Field
    documents: Mapping[DocumentKey, tuple[TruthRow, ...]]
    problems: tuple[Problem, ...] = ()


def holds_rows(table: Table, schemas: Sequence[Schema]) -> bool:
    """Whether a sheet is one of rows of a table."""
    return any(_head(table, schema, field) for schema in schemas for field in schema.tables)


def table_truths(
    files: Iterable[tuple[Path, Sequence[Table]]],
    schemas: Sequence[Schema],
    options: TruthOptions,
    documents: Sequence[DocumentKey],
) -> tuple[TableTruth, ...]:
    """One truth a table, of all sheets that hold rows of it, for those of the `documents` that they
    name; rows that name none of them are told of."""
    sheets = [(path, table) for path, tables in files for table in tables]
    found = []
    for schema in schemas:
        for field in schema.tables:
            rows: dict[DocumentKey, list[TruthRow]] = {}
            notes: list[Problem] = []
            for path, table in sheets:
                head = _head(table, schema, field)
                if head is not None:
                    notes += _read(path, table, field, head, options, documents, rows)
            if rows or notes:
                told = {key: tuple(some) for key, some in rows.items()}
                found.append(TableTruth(schema, field, told, tuple(notes)))
    return tuple(found)


@dataclass(frozen=True)
class _Head:
    row: int
    """Index into the table's rows."""
    file: int
    page: int | None
    part: int | None
    columns: Mapping[str, int]
    checked: int | None = None
    """The column of who checked a row."""


def _head(table: Table, schema: Schema, field: Field) -> _Head | None:
    for index, (_, cells) in enumerate(table.rows[:HEADER_ROWS]):
        headings = [(cell.text or "").strip() for cell in cells]
        file = _column(headings, FILE_HEADINGS)
        if file is None:
            continue
        columns = {
            column.name: at
            for column in field.columns
            if (at := _column(headings, (column.name, *column.aliases, *column.labels))) is not None
        }
        own = sum(
            _column(headings, (each.name, *each.aliases)) is not None for each in schema.one_valued
        )
        named = fold_heading(table.name) in map(fold_heading, (field.name, *field.aliases))
        if len(columns) > own or (named and columns):
            page, part = _column(headings, PAGE_HEADINGS), _column(headings, PART_HEADINGS)
            return _Head(index, file, page, part, columns, _column(headings, CHECKED_HEADINGS))
    return None


def _column(headings: Sequence[str], names: Iterable[str]) -> int | None:
    for name in names:
        for index, heading in enumerate(headings):
            if heading and same_heading(heading, name):
                return index
    return None


def _read(
    path: Path,
    table: Table,
    field: Field,
    head: _Head,
    options: TruthOptions,
    documents: Sequence[DocumentKey],
    rows: dict[DocumentKey, list[TruthRow]],
) -> Iterator[Problem]:
    """Put the rows of a sheet under their documents; what was wrong with it."""
    notebook = Notebook(path.name)
    absent = {fold_heading(marker) or marker for marker in options.absent}
    by_name = _by_name(documents)
    lost: dict[str, None] = {}
    unchecked: list[int] = []
    of_nobody: dict[DocumentKey, list[TruthRow]] = {}
    before = ""
    for number, cells in table.rows[head.row + 1 :]:
        # Where only the first row of a document names it, the others below are its as well.
        name = (_at(cells, head.file).text or "").strip() or before
        before = name
        fitting = [
            key
            for key in by_name.get(fold_path(name), ())
            if _is(_at(cells, head.page), key.page) and _is(_at(cells, head.part), key.part)
        ]
        said = _said(field, head, (number, cells), absent, options, notebook)
        if said is None:
            continue
        if len(fitting) != 1:
            lost.setdefault(name or "?")
            continue
        if not _is_checked(head, cells):
            unchecked.append(number)
            of_nobody.setdefault(fitting[0], []).append(TruthRow({}, number, said))
            continue
        of_document = rows.setdefault(fitting[0], [])
        if said:
            of_document.append(TruthRow(said, number))
    for key, some in of_nobody.items():
        if key in rows:  # they are there, whatever they say: no row too many
            rows[key] = sorted([*rows[key], *some], key=lambda row: row.row)
    if unchecked:
        notebook.add(
            ProblemKind.UNCHECKED,
            f"sheet {table.name!r}: rows of {field.name} that nobody marked as checked do not count: "
            f"{listed(map(str, unchecked))}",
            field.name,
        )
    if lost:
        notebook.add(
            ProblemKind.NO_KEY,
            f"sheet {table.name!r}: rows of {field.name} that name no document of the run, or several: "
            f"{listed(lost)}",
            field.name,
        )
    yield from notebook.problems()


def _said(
    field: Field,
    head: _Head,
    row: Row,
    absent: set[str],
    options: TruthOptions,
    notebook: Notebook,
) -> dict[str, str | None] | None:
    """What a row says; nothing, where it says that there is no row; None where it says nothing."""
    number, cells = row
    said: dict[str, str | None] = {}
    for name, at in head.columns.items():
        cell = _at(cells, at)
        text = (cell.text or "").strip()
        if cell.trouble:
            notebook.add(ProblemKind.BAD_CELL, f"{name}: {cell.trouble}", field.name, number)
        elif not text:
            if options.blank == "absent":
                said[name] = None
        elif (fold_heading(text) or text) in absent:
            said[name] = None
        else:
            said[name] = normalize(field.column(name), text) or text
    if not any((_at(cells, at).text or "").strip() for at in head.columns.values()):
        return None
    return said if any(value is not None for value in said.values()) else {}


def _is_checked(head: _Head, cells: Sequence[RawCell]) -> bool:
    if head.checked is None:
        return True
    return fold_heading(_at(cells, head.checked).text or "") not in UNCHECKED


def _by_name(documents: Sequence[DocumentKey]) -> dict[str, list[DocumentKey]]:
    """Names by which a sheet may call a document: its path, its file's name, that without suffix."""
    found: dict[str, list[DocumentKey]] = {}
    for key in documents:
        path = PurePosixPath(key.path.replace("\\", "/"))
        for name in {key.path, path.name, path.stem}:
            found.setdefault(fold_path(name), []).append(key)
    return found


def _at(cells: Sequence[RawCell], column: int | None) -> RawCell:
    return cells[column] if column is not None and column < len(cells) else RawCell()


def _is(cell: RawCell, number: int) -> bool:
    """Whether a cell says this number, or nothing."""
    text = (cell.text or "").strip()
    return not text or text == str(number)

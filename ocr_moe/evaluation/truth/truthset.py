"""Verified sheets together: every file is read once, and which sheet is for which schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.truth.cells import Row, Table
from ocr_moe.evaluation.truth.corrected import (
    Corrected,
    Written,
    corrected_in,
    figures_of,
    is_corrected,
    truths_in,
)
from ocr_moe.evaluation.truth.rows import TableTruth, TruthRow, holds_rows, table_truths
from ocr_moe.evaluation.truth.sheet import HEADER_ROWS, Truth, load_truth_tables, usable_columns
from ocr_moe.evaluation.truth.tables import read_tables
from ocr_moe.formats.recordbook import document_id
from ocr_moe.schema import Schema
from ocr_moe.settings import TruthOptions
from ocr_moe.subjects import DocumentKey

_SCHEMA_HEADING = "schema"


@dataclass(frozen=True)
class TruthSet:
    """Verified sheets as they stand in their files."""

    files: tuple[tuple[Path, tuple[Table, ...]], ...]
    options: TruthOptions

    def of(
        self, schemas: Sequence[Schema], written: Callable[[], Written | None] = lambda: None
    ) -> tuple[Truth, ...]:
        """One truth a schema, from files that are told apart by their columns.

        A sheet goes to the schema of which it has the most columns; a workbook may have a sheet for
        each of several schemas. Of a corrected records.xlsx only the cells count that were checked;
        `written` gives what the run wrote, for one that does not say it itself. Raises TruthError when
        a file fits none, or two files fit the same.
        """
        files = self._of_documents(schemas)
        plain = len(files) == 1 and not is_corrected(files[0][1])
        if len(schemas) == 1 and plain:
            [(path, tables)] = files
            return (load_truth_tables(path, tables, schemas[0], self.options),)
        found: dict[str, Truth] = {}
        for path, tables in files:
            if is_corrected(tables):
                truths = truths_in(
                    corrected_in(path, tables, schemas, options=self.options, written=written()),
                    schemas,
                )
            else:
                truths = _truths_of(path, tables, schemas, self.options)
            for truth in truths:
                other = found.setdefault(truth.schema.name, truth)
                if other is not truth:
                    raise TruthError(
                        f"both {other.source} and {path} are for the schema {truth.schema.name}; "
                        "give one sheet a schema"
                    )
        return tuple(found.values())

    def rows(
        self,
        schemas: Sequence[Schema],
        documents: Sequence[DocumentKey],
        written: Callable[[], Written | None] = lambda: None,
    ) -> tuple[TableTruth, ...]:
        """What the sheets of rows say of the tables of these documents; of a corrected records.xlsx
        only the cells that were checked."""
        files = [(path, tables) for path, tables in self.files if not is_corrected(tables)]
        found = [*table_truths(files, schemas, self.options, documents)]
        for path, tables in self.files:
            if is_corrected(tables) and any(schema.tables for schema in schemas):
                corrected = corrected_in(
                    path, tables, schemas, options=self.options, written=written()
                )
                found += _checked_rows(corrected, schemas, documents)
        return tuple(found)

    def _of_documents(
        self, schemas: Sequence[Schema]
    ) -> tuple[tuple[Path, tuple[Table, ...]], ...]:
        """The files without sheets in which a row is a row of a table."""
        files = []
        for path, tables in self.files:
            if is_corrected(tables):
                files.append((path, tables))
                continue
            kept = tuple(table for table in tables if not holds_rows(table, schemas))
            # Beside sheets of rows, one of documents may be missing, or not be filled in.
            if len(kept) == len(tables) or any(_has_documents(each, schemas) for each in kept):
                files.append((path, kept))
        return tuple(files)

    def check(self, schemas: Sequence[Schema]) -> None:
        """Find early what `of` will refuse whatever the documents are: which of the schemas they
        have is known when they were read. Raises TruthError.
        """
        files = self._of_documents(schemas)
        if len(schemas) == 1 and not any(is_corrected(tables) for _, tables in files):
            self.of(schemas)
            return
        for path, tables in files:
            if is_corrected(tables):
                continue  # whether something was checked in it, only the run may tell
            fitting = [schema for schema in schemas if usable_columns(tables, schema)]
            refusals = []
            for schema in fitting or schemas[:1]:
                try:
                    load_truth_tables(path, tables, schema, self.options)
                except TruthError as error:
                    refusals.append(error)
                else:
                    break
            else:
                raise refusals[0]


def _has_documents(table: Table, schemas: Sequence[Schema]) -> bool:
    return len(table.rows) > 1 and any(usable_columns([table], schema) for schema in schemas)


def _checked_rows(
    corrected: Corrected, schemas: Sequence[Schema], documents: Sequence[DocumentKey]
) -> Iterator[TableTruth]:
    """The checked rows of a records.xlsx; those that nobody looked at are only known to be there."""
    keys = {document_id(*key): key for key in documents}
    # Where no field of a document was checked, no other truth tells what could not be used.
    problems = () if corrected.cells else (figures_of(corrected), *corrected.problems)
    for schema in schemas:
        for field in schema.tables:
            rows = {
                keys[table.document]: tuple(
                    TruthRow(
                        {name: row.cells[name] for name in row.checked},
                        row.row,
                        {} if row.checked.keys() == row.cells.keys() else row.cells,
                    )
                    for row in table.rows
                )
                for table in corrected.tables
                if (table.schema, table.field) == (schema.name, field.name)
                and table.document in keys
            }
            if rows:
                yield TableTruth(schema, field, rows, problems)
                problems = ()


def read_truths(paths: Sequence[Path], options: TruthOptions | None = None) -> TruthSet:
    """The sheets in these files. Raises TruthError when one cannot be read."""
    return TruthSet(tuple((path, read_tables(path)) for path in paths), options or TruthOptions())


def _parted(table: Table, schemas: Sequence[Schema]) -> dict[str, Table]:
    """A sheet by the column `schema` that `extract` writes: schema → its rows, under the headings."""
    names = {schema.name for schema in schemas}
    for index, (_, cells) in enumerate(table.rows[:HEADER_ROWS]):
        column = next((i for i, cell in enumerate(cells) if cell.text == _SCHEMA_HEADING), None)
        if column is None:
            continue
        rows: dict[str, list[Row]] = {}
        for row in table.rows[index + 1 :]:
            name = row[1][column].text if column < len(row[1]) else None
            if name in names:
                rows.setdefault(str(name), []).append(row)
        return {
            name: replace(table, rows=(*table.rows[: index + 1], *own))
            for name, own in rows.items()
        }
    return {}


def _truths_of(
    path: Path, tables: tuple[Table, ...], schemas: Sequence[Schema], options: TruthOptions
) -> list[Truth]:
    if options.sheet is not None:
        tables = tuple(table for table in tables if table.name == options.sheet) or tables
    sheets: dict[str, list[Table]] = {}
    for table in tables:
        named = _parted(table, schemas)
        for name, part in named.items():
            sheets.setdefault(name, []).append(part)
        best = max(schemas, key=lambda schema: usable_columns([table], schema))
        if not named and usable_columns([table], best):
            sheets.setdefault(best.name, []).append(table)
    if not sheets:
        # The first schema's message names what was found and which headings would do.
        return [load_truth_tables(path, tables, schemas[0], options)]
    return [
        load_truth_tables(path, sheets[schema.name], schema, options)
        for schema in schemas
        if schema.name in sheets
    ]

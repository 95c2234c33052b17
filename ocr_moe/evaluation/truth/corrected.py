"""A records.xlsx that a person corrected: which of its cells were checked, and what they say.

Only what was checked counts as verified: a cell that was changed, a cell that was filled with green, the
cells of a row that was marked in the column "checked". What was changed is told by what was written,
which the workbook carries along on a hidden sheet (`ocr_moe.formats.recordbook`); where that is gone,
by the records of the run, else by marks alone. What cannot be used is told, with what to do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.truth.cells import BLANK, RawCell, Row, Table
from ocr_moe.evaluation.truth.problems import Notebook, Problem, ProblemKind, listed
from ocr_moe.evaluation.truth.rowsets import UnclearError, placed
from ocr_moe.evaluation.truth.sheet import (
    HEADER_ROWS,
    Truth,
    TruthCell,
    TruthRow,
    from_serial,
    is_serial,
)
from ocr_moe.evaluation.truth.tables import read_tables
from ocr_moe.evaluation.truth.touched import Mark, is_unchanged, mark_of, spoilt
from ocr_moe.folds import fold_heading
from ocr_moe.formats.recordbook import (
    DocumentId,
    WrittenCell,
    WrittenDocument,
    WrittenTable,
    headings,
    is_written,
    read_written,
)
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.settings import TruthOptions
from ocr_moe.values.kinds import kind_of
from ocr_moe.values.normalize import equal, normalize
from ocr_moe.values.printed import clean_text
from ocr_moe.values.tables import table_text

Written = Mapping[DocumentId, WrittenDocument]

_SAME_CONFIDENCE = 1e-9
"""Spreadsheets keep 15 digits of a number; two runs' confidences differ in the first few."""


_SAYS_NOTHING = (
    "the workbook does not say what was written into it (it is of an earlier version, or a sheet was "
    "copied out of it): what was changed cannot be told, and only rows and cells that are marked as "
    "checked count"
)


class How(StrEnum):
    """What makes a cell a checked one."""

    CHANGED = "changed"
    """A person wrote something else into it."""
    CONFIRMED = "confirmed"
    """A person marked it, or its row, and left it as it was."""
    VERIFIED = "verified"
    """It was a person's word when the workbook was written, and nobody touched it since."""


@dataclass(frozen=True, slots=True)
class CheckedCell:
    """A cell that a person looked at."""

    document: DocumentId
    schema: str
    field: str
    value: str | None
    """Normalised; None: not on the document."""
    raw: str
    """As it stands in the cell."""
    how: How
    reviewer: str | None = None
    """Who looked, where the workbook says so."""
    at: str | None = None
    """When, of the kind `verified`: ISO 8601 in UTC."""
    written: WrittenCell | None = None
    """The cell as it was written; None where that is not known."""
    sha256: str = ""
    """Of the document's file; empty where the workbook does not say."""
    strategy: str = ""
    sheet: str = ""
    row: int = 0
    """In the sheet, counted from 1."""


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A row of a table as it stands in a corrected workbook."""

    cells: Mapping[str, str | None]
    """Column → value, of all columns; checked or not."""
    checked: Mapping[str, How]
    """The cells that a person looked at."""
    row: int
    """In the sheet, counted from 1."""


@dataclass(frozen=True, slots=True)
class CheckedTable:
    """A table of which a person looked at some cells, or said which rows it has."""

    document: DocumentId
    schema: str
    field: str
    rows: tuple[CheckedRow, ...]
    """In their order, none where the document has no such table."""
    changed: bool
    """Whether a cell was changed, or a row inserted or deleted."""
    written: WrittenTable | None = None
    """As it was written; None where that is not known."""
    reviewer: str | None = None
    sha256: str = ""
    strategy: str = ""
    sheet: str = ""

    @property
    def whole(self) -> bool:
        """Whether every cell was looked at."""
        return all(row.checked.keys() == row.cells.keys() for row in self.rows)

    @property
    def how(self) -> How:
        hows = {how for row in self.rows for how in row.checked.values()}
        if self.changed:
            return How.CHANGED
        return How.CONFIRMED if How.CONFIRMED in hows else How.VERIFIED

    @property
    def was(self) -> str | None:
        """Its value when it was written."""
        rows = self.written.rows if self.written is not None else {}
        return table_text({n: c.value for n, c in rows[number].items()} for number in sorted(rows))

    @property
    def value(self) -> str | None:
        return table_text(row.cells for row in self.rows)


@dataclass(frozen=True)
class Corrected:
    """What a corrected workbook says."""

    source: Path
    cells: tuple[CheckedCell, ...]
    """By document and field."""
    untouched: int
    """Cells that nobody looked at, or of which nothing can be said."""
    columns: Mapping[str, tuple[str, ...]]
    """Schema → its fields that have a column."""
    problems: tuple[Problem, ...]
    tables: tuple[CheckedTable, ...] = ()
    """By document and field."""

    def count(self, how: How) -> int:
        """How many cells, those of tables among them."""
        of_rows = (
            each for table in self.tables for row in table.rows for each in row.checked.values()
        )
        return sum(cell.how is how for cell in self.cells) + sum(each is how for each in of_rows)


def is_corrected(tables: Sequence[Table]) -> bool:
    """Whether these sheets are those of a records.xlsx, corrected or not."""
    return any(
        _is_of_written(table) or _header(table, _OF_ALL_VERSIONS) is not None for table in tables
    )


def read_corrected(
    path: Path,
    schemas: Sequence[Schema],
    *,
    options: TruthOptions | None = None,
    written: Written | None = None,
) -> Corrected:
    """The checked cells of a records.xlsx, for all of these schemas.

    `written` is what a run wrote, for a workbook that lacks its hidden sheet: it counts for the rows
    whose confidence is the run's. Raises TruthError when the file cannot be read, or is no
    records.xlsx.
    """
    return corrected_in(path, read_tables(path), schemas, options=options, written=written)


def corrected_in(
    path: Path,
    tables: Sequence[Table],
    schemas: Sequence[Schema],
    *,
    options: TruthOptions | None = None,
    written: Written | None = None,
) -> Corrected:
    """`read_corrected` for sheets that were already read. Raises TruthError."""
    if not is_corrected(tables):
        raise TruthError(
            f"{path}: not a records.xlsx: it has neither the hidden sheet of what was written nor a "
            f"sheet with the columns {listed(headings('document'))} and "
            f"{listed(headings('lowest_confidence'))}"
        )
    return _Reader(path, tables, schemas, options or TruthOptions(), written).read()


def truths_in(corrected: Corrected, schemas: Sequence[Schema]) -> list[Truth]:
    """The checked cells as verified sheets, one for each schema of which there are some."""
    problems = (figures_of(corrected), *corrected.problems)
    found: list[Truth] = []
    for schema in schemas:
        rows = _truth_rows([cell for cell in corrected.cells if cell.schema == schema.name])
        if rows:
            found.append(
                Truth(
                    schema=schema,
                    source=corrected.source,
                    sheet="",
                    by="file",
                    fields=corrected.columns.get(schema.name, ()),
                    rows=rows,
                    blank=0 if found else corrected.untouched,
                    unscorable=0,
                    problems=() if found else problems,
                )
            )
    if not found and not corrected.tables:
        raise TruthError(
            f"{corrected.source}: no cell in it is marked as checked or was changed "
            f"({corrected.untouched} untouched). Change what is wrong; then write your name into the "
            f"column {listed(headings('checked'))} of the rows that you compared with the documents, "
            "or fill single cells with green"
            + "".join(f". {problem.sentence}" for problem in corrected.problems[:3])
        )
    return found


def figures_of(corrected: Corrected) -> Problem:
    """How many cells were checked."""
    counts = {how: corrected.count(how) for how in How}
    verified = f", {counts[How.VERIFIED]} verified before" if counts[How.VERIFIED] else ""
    message = (
        f"{sum(counts.values())} cells were checked ({counts[How.CHANGED]} changed, "
        f"{counts[How.CONFIRMED]} confirmed{verified}), "
        f"{corrected.untouched} untouched ones do not count"
    )
    return Problem(ProblemKind.CHECKED_CELLS, message, source=corrected.source.name)


def _truth_rows(cells: Sequence[CheckedCell]) -> tuple[TruthRow, ...]:
    of_document: dict[DocumentId, list[CheckedCell]] = defaultdict(list)
    for cell in cells:
        of_document[cell.document].append(cell)
    return tuple(
        TruthRow(
            number=some[0].row,
            key=document.path,
            page=document.page,
            cells={cell.field: TruthCell(cell.raw, cell.value) for cell in some},
            part=document.part,
        )
        for document, some in of_document.items()
    )


_Header = tuple[int, Mapping[str, tuple[int, ...]]]
"""Index of the row with the headings, and the columns under each heading."""
_OF_DOCUMENT = ("document",)
_OF_ALL_VERSIONS = ("document", "page", "to_check", "lowest_confidence")
_OF_DOUBTS = ("document", "field", "value")
_OF_SUBJECTS = ("subject", "document")


def _is_of_written(table: Table) -> bool:
    return bool(table.rows) and is_written([cell.text for cell in table.rows[0][1]])


def _header(table: Table, keys: Sequence[str]) -> _Header | None:
    """The first row with all of these headings of ours, in one language or the other."""
    wanted = [
        {text + star for text in headings(key) for star in ("", " *", " * *")} for key in keys
    ]
    for index, (_, cells) in enumerate(table.rows[:HEADER_ROWS]):
        columns: dict[str, list[int]] = {}
        for column, cell in enumerate(cells):
            if cell.text and cell.text.strip():
                columns.setdefault(cell.text.strip(), []).append(column)
        if all(any(text in columns for text in texts) for texts in wanted):
            return index, {text: tuple(some) for text, some in columns.items()}
    return None


def _is_of_messages(header: _Header) -> bool:
    """Whether a sheet with documents tells of failures or contradictions."""

    def has(key: str) -> bool:
        return any(text in header[1] for text in headings(key))

    return has("message") and not any(map(has, ("checked", "lowest_confidence")))


def _has_rows(header: _Header, schemas: Iterable[Schema]) -> bool:
    """Whether a sheet holds the rows of a table."""
    if any(text in header[1] for text in headings("to_check")):
        return False
    if any(text in header[1] for text in headings("row")):
        return True

    def named(fields: Iterable[Field]) -> int:
        return sum(field.name in header[1] for field in fields)

    return any(
        named(table.columns) > named(schema.one_valued)
        for schema in schemas
        for table in schema.tables
    )


@dataclass(frozen=True, slots=True)
class _SheetRow:
    """A row on the sheet of a table."""

    table: Table
    row: Row
    columns: Mapping[str, int]
    """The table's columns that the sheet has."""
    number: int | None
    """What it says in the column "row"."""
    mark: Mark


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a cell stands."""

    sheet: str
    row: int
    column: int
    field: str

    @property
    def words(self) -> str:
        return f"sheet {self.sheet!r}, column {_letters(self.column)} ({self.field})"


def _letters(column: int) -> str:
    text = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


class _Reader:
    def __init__(
        self,
        path: Path,
        tables: Sequence[Table],
        schemas: Sequence[Schema],
        options: TruthOptions,
        written: Written | None,
    ) -> None:
        self._path = path
        self._schemas = {schema.name: schema for schema in schemas}
        self._notes = Notebook(path.name)
        self._absent = {fold_heading(marker) or marker for marker in options.absent}
        self._tables = [table for table in tables if not _is_of_written(table)]
        own = read_written(
            [cell.text for cell in cells]
            for table in tables
            if _is_of_written(table)
            for _, cells in table.rows[1:]
        )
        self._written: Written = own or written or {}
        self._is_own = bool(own)
        self._pages: dict[str, list[DocumentId]] = defaultdict(list)
        for document in self._written:
            self._pages[document.path].append(document)
        self._found: dict[tuple[DocumentId, str], list[CheckedCell]] = {}
        self._seen: set[tuple[DocumentId, str]] = set()
        self._columns: dict[str, set[str]] = defaultdict(set)
        self._rows: dict[tuple[DocumentId, str], list[_SheetRow]] = defaultdict(list)
        self._on_sheets: set[tuple[str, str]] = set()
        """(schema, table) of which the workbook has a sheet with rows."""
        self._table_cells = 0
        if any(table.second_choice for table in tables):
            self._notes.add(
                ProblemKind.SECOND_READER,
                "only the values of this workbook could be read: green cells do not count, marks in the "
                "column of checked rows do; save it anew in Excel to be sure",
            )
        if not self._written:
            self._notes.add(
                ProblemKind.NOT_TAKEN,
                _SAYS_NOTHING,
            )

    def read(self) -> Corrected:
        subjects = []
        for table in self._tables:
            if _header(table, _OF_SUBJECTS) is not None:
                subjects.append(table)
            elif (header := _header(table, _OF_DOUBTS)) is not None:
                self._read_doubts(table, header)
            else:
                header = _header(table, _OF_DOCUMENT)
                if header is None or _is_of_messages(header):
                    continue
                if _has_rows(header, self._schemas.values()):
                    self._read_rows(table, header)
                elif self._written or _header(table, _OF_ALL_VERSIONS) is not None:
                    self._read_documents(table, header)
        for table in subjects:
            self._tell_of_subjects(table)
        cells = [cell for some in self._found.values() if (cell := self._settled(some)) is not None]
        cells.sort(key=lambda cell: (cell.document, cell.field))
        columns = {
            name: tuple(field for field in schema.names if field in self._columns[name])
            for name, schema in self._schemas.items()
        }
        tables = tuple(
            found
            for (document, field), rows in sorted(self._rows.items(), key=lambda each: each[0])
            if (found := self._table_of(document, field, rows)) is not None
        )
        self._tell_of_lost()
        checked = len(cells) + sum(len(row.checked) for each in tables for row in each.rows)
        untouched = len(self._seen) + self._table_cells - checked
        return Corrected(
            self._path, tuple(cells), untouched, columns, self._notes.problems(), tables
        )

    # Sheets of rows.

    def _read_rows(self, table: Table, header: _Header) -> None:
        """Put the rows of a sheet under their documents."""
        index, columns = header
        number_column = self._our_column("row", columns, ())
        before: DocumentId | None = None
        schema, field = self._of_row(table, (0, ()), columns, None)
        if schema is not None and field is not None:
            self._on_sheets.add((schema.name, field.name))
        for row in table.rows[index + 1 :]:
            schema, field = self._of_row(table, row, columns, before)
            if field is None or schema is None:
                continue
            named = [column.name for column in field.columns]
            ours = {
                key: self._our_column(key, columns, named)
                for key in ("document", "page", "part", "checked")
            }
            own = {name: columns[name][0] for name in named if name in columns}
            # As on other sheets of rows, who is named above is meant where a row names nobody.
            blank = not (_at(row, ours["document"]).text or "").strip()
            if blank and not any(_at(row, column).text for column in own.values()):
                continue
            document = before if blank and before is not None else self._identify(table, row, ours)
            before = document
            if document is None:
                continue
            if number_column is None:
                self._notes.add(
                    ProblemKind.NOT_TAKEN,
                    f"sheet {table.name!r}: the column of row numbers is gone, and nothing of the sheet "
                    "was taken; put it back from the file as it was",
                    field.name,
                )
                return
            number = _number(_at(row, number_column))
            mark = mark_of(_at(row, ours["checked"]).text or "")
            self._rows[document, field.name].append(_SheetRow(table, row, own, number, mark))
            self._on_sheets.add((schema.name, field.name))

    def _of_row(
        self,
        table: Table,
        row: Row,
        columns: Mapping[str, tuple[int, ...]],
        before: DocumentId | None,
    ) -> tuple[Schema | None, Field | None]:
        """Of which schema's which table a row is: by its document, and by the sheet's columns."""
        path = (_at(row, self._our_column("document", columns, ())).text or "").strip()
        known = [self._written[each].schema for each in self._pages.get(path, ())]
        if not path and before is not None and before in self._written:
            known = [self._written[before].schema]
        fitting = [
            (sum(column.name in columns for column in field.columns), schema, field)
            for schema in self._schemas.values()
            if not known or schema.name in known
            for field in schema.tables
        ]
        named = [each for each in fitting if each[0]]
        if not named:
            return None, None
        # Two tables of a schema may have the same columns: then the sheet's name tells.
        best = max(named, key=lambda each: (each[0], each[2].name in table.name))
        return best[1], best[2]

    def _table_of(
        self, document: DocumentId, name: str, rows: Sequence[_SheetRow]
    ) -> CheckedTable | None:
        """What a person made of a document's table; None where they did nothing, or it is unclear."""
        schema, field = self._field_of(self._written.get(document), name)
        # What another run wrote into the rows nobody can tell: then only marks count.
        known = self._written.get(document) if self._is_own else None
        if known is not None and name not in known.tables and name not in known.cells:
            self._notes.add(ProblemKind.NOT_TAKEN, _SAYS_NOTHING)
            known = None
        written = None if known is None else known.tables.get(name)
        was = written.rows if written is not None else {}

        def is_as_written(index: int, number: int) -> bool:
            return all(
                self._says(field.column(column), rows[index], at, was[number].get(column))
                for column, at in rows[index].columns.items()
            )

        try:
            order = placed([each.number for each in rows], was, is_as_written)
        except UnclearError as error:
            self._notes.add(
                ProblemKind.NOT_TAKEN,
                f"sheet {rows[0].table.name!r}: {document.path}: {error}; none of its rows was taken",
                name,
            )
            return None
        # Without what was written, nobody can tell a row that was inserted.
        found = [
            self._row_of(
                field,
                rows[each.index],
                was.get(each.number or 0),
                new=bool(known) and not each.number,
            )
            for each in order
        ]
        kept = [row for row in found if not _is_none(row)]
        self._table_cells += sum(len(row.cells) for row in found)
        hows = {how for row in found for how in row.checked.values()}
        gone = len(was.keys() - {each.number for each in order})
        changed = How.CHANGED in hows or bool(gone) or len(kept) < len(found)
        if not hows and not changed:
            return None
        marks = [each.mark.reviewer for each in rows if each.mark.reviewer]
        if hows <= {How.VERIFIED} and not changed and written is not None:
            marks = [written.reviewer or ""]
        return CheckedTable(
            document,
            schema.name,
            name,
            tuple(kept),
            changed,
            written,
            next(filter(None, marks), None),
            known.sha256 if known is not None else "",
            known.strategy if known is not None else "",
            rows[0].table.name,
        )

    def _field_of(self, known: WrittenDocument | None, name: str) -> tuple[Schema, Field]:
        schemas = [s for s in self._schemas.values() if name in [t.name for t in s.tables]]
        own = [schema for schema in schemas if known is not None and schema.name == known.schema]
        schema = (own or schemas)[0]
        return schema, schema.field(name)

    def _says(self, column: Field, row: _SheetRow, at: int, written: WrittenCell | None) -> bool:
        """Whether a cell says what was written there."""
        raw = _at(row.row, at)
        text = (raw.text or "").strip()
        was = None if written is None else written.value
        if was is None or not text:
            return was is None and not text
        return not raw.trouble and is_unchanged(column, raw, text, was)

    def _row_of(
        self, table: Field, row: _SheetRow, written: Mapping[str, WrittenCell] | None, *, new: bool
    ) -> CheckedRow:
        cells: dict[str, str | None] = {}
        checked: dict[str, How] = {}
        for column in table.columns:
            at = row.columns.get(column.name)
            was = None if written is None else written.get(column.name)
            cells[column.name] = None if was is None else was.value
            if at is None:
                if was is not None and was.reviewer is not None:
                    checked[column.name] = How.VERIFIED
                continue
            place = _Place(row.table.name, row.row[0], at, f"{table.name}: {column.name}")
            raw = _at(row.row, at)
            green = (place.row, at) in row.table.green
            if (place.row, at) in row.table.formulas and not raw.trouble:
                self._refuse(place, "a formula, which was not taken; type its value as text")
                continue
            marked = row.mark.checked or green
            judged = self._judged(column, raw, was, place, marked=marked)
            if judged is None:
                continue
            value, touched = judged
            cells[column.name] = value
            if new:
                # Whoever inserts a row types what it says; what may be missing and is, is not there.
                if value is not None or marked or not column.required:
                    checked[column.name] = How.CHANGED
            elif touched and was is not None and value != was.value:
                checked[column.name] = How.CHANGED
            elif marked or touched:
                confirmed = was is None or was.reviewer is None or row.mark.checked
                checked[column.name] = How.CONFIRMED if confirmed else How.VERIFIED
            elif was is not None and was.reviewer is not None:
                checked[column.name] = How.VERIFIED
        return CheckedRow(cells, checked, row.row[0])

    def _tell_of_lost(self) -> None:
        """Documents of which a sheet has no row left: whoever took them out may have meant the sheet."""
        lost: dict[str, list[str]] = defaultdict(list)
        for document, known in self._written.items():
            for name in known.tables:
                on_sheet = (known.schema, name) in self._on_sheets
                if on_sheet and (document, name) not in self._rows:
                    lost[name].append(document.path)
        for name, paths in lost.items():
            self._notes.add(
                ProblemKind.NOT_TAKEN,
                f"{name}: no row is left of {listed(paths)}, which was not taken; where a document has "
                "no such table, write 无 into every cell of one row",
                name,
            )

    def _read_documents(self, table: Table, header: _Header) -> None:
        index, columns = header
        for schema in self._schemas.values():
            fields = self._field_columns(table, schema, columns)
            if not fields:
                continue
            ours = {
                key: self._our_column(key, columns, schema.names)
                for key in ("document", "page", "part", "checked", "schema", "lowest_confidence")
            }
            self._columns[schema.name] |= fields.keys()
            for row in table.rows[index + 1 :]:
                document = self._document(table, row, ours, schema, fields)
                if document is None:
                    continue
                known = self._written.get(document)
                if known is not None and not self._is_own:
                    known = self._of_this_run(known, _at(row, ours["lowest_confidence"]), row[0])
                mark = mark_of(_at(row, ours["checked"]).text or "")
                for name, column in fields.items():
                    place = _Place(table.name, row[0], column, name)
                    self._take(table, place, row, schema, document, known, mark)

    def _read_doubts(self, table: Table, header: _Header) -> None:
        index, columns = header
        keys = ("document", "page", "part", "checked", "field", "value", "confidence")
        ours = {key: self._our_column(key, columns, ()) for key in keys}
        value_column = ours["value"]
        assert value_column is not None
        for row in table.rows[index + 1 :]:
            name = (_at(row, ours["field"]).text or "").strip()
            document = self._identify(table, row, ours)
            if document is None or not name:
                continue
            known = self._written.get(document)
            named = {known.schema} if known is not None else set(self._schemas)
            schema = next(
                (s for s in self._schemas.values() if s.name in named and name in s.names), None
            )
            if schema is None:
                continue
            if schema.field(name).kind is Kind.TABLE:
                self._refuse_table(table, row, ours, name)
                continue
            self._columns[schema.name].add(name)
            if known is not None and not self._is_own:
                cells = {each: cell for each, cell in known.cells.items() if each == name}
                known = replace(known, cells=cells)
                known = self._of_this_run(known, _at(row, ours["confidence"]), row[0])
            place = _Place(table.name, row[0], value_column, name)
            self._take(
                table,
                place,
                row,
                schema,
                document,
                known,
                mark_of(_at(row, ours["checked"]).text or ""),
            )

    def _refuse_table(
        self, table: Table, row: Row, ours: Mapping[str, int | None], name: str
    ) -> None:
        """A mark on the row of a table says nothing of its cells; it is not lost silently either."""
        if mark_of(_at(row, ours["checked"]).text or "").checked:
            place = _Place(table.name, row[0], ours["value"] or 0, name)
            self._refuse(
                place,
                "a table, of which marks are not taken here; mark its rows on their own sheet",
            )

    def _of_this_run(
        self, known: WrittenDocument, confidence: RawCell, row: int
    ) -> WrittenDocument | None:
        """What a run wrote into a row, if the row's confidence is that of the run's record: what another
        run read differently nobody changed."""
        lowest = min(
            (c.confidence for c in known.cells.values() if c.confidence is not None), default=None
        )
        try:
            told = float(confidence.text or "")
        except ValueError:
            told = None
        if told == lowest or (
            told is not None and lowest is not None and abs(told - lowest) < _SAME_CONFIDENCE
        ):
            return known
        self._notes.add(
            ProblemKind.NOT_TAKEN,
            "the row was written by another run, and does not say what was written: only marks count",
            row=row,
        )
        return None

    def _field_columns(
        self, table: Table, schema: Schema, columns: Mapping[str, tuple[int, ...]]
    ) -> dict[str, int]:
        found = {}
        for field in schema.one_valued:
            names = [name for name in (field.name, *field.aliases) if name in columns]
            if not names:
                continue
            if len(columns[names[0]]) > 1:
                letters = listed(map(_letters, columns[names[0]]))
                self._notes.add(
                    ProblemKind.DUPLICATE_COLUMN,
                    f"sheet {table.name!r}: the columns {letters} are all headed {names[0]!r}, and none "
                    "was read; rename those that are yours",
                    field.name,
                )
                continue
            [found[field.name]] = columns[names[0]]
        return found

    def _our_column(
        self, key: str, columns: Mapping[str, tuple[int, ...]], fields: Sequence[str]
    ) -> int | None:
        for text in headings(key, fields):
            if text in columns:
                return columns[text][0]
        return None

    def _document(
        self,
        table: Table,
        row: Row,
        ours: Mapping[str, int | None],
        schema: Schema,
        fields: Mapping[str, int],
    ) -> DocumentId | None:
        """The document of a row, if it is one of that schema."""
        if not any(_at(row, column).text for column in (*fields.values(), ours["document"])):
            return None
        told = (_at(row, ours["schema"]).text or "").strip()
        document = self._identify(table, row, ours)
        if document is None:
            return None
        known = self._written.get(document)
        of_schema = known.schema if known is not None else told
        if of_schema:
            return document if of_schema == schema.name else None
        best = max(self._schemas.values(), key=lambda each: len(self._fields_of(each, table)))
        return document if best is schema else None

    def _fields_of(self, schema: Schema, table: Table) -> set[str]:
        texts = {cell.text for _, cells in table.rows[:HEADER_ROWS] for cell in cells if cell.text}
        return texts & set(schema.names)

    def _identify(
        self, table: Table, row: Row, ours: Mapping[str, int | None]
    ) -> DocumentId | None:
        """The document that a row names; what cannot be told is told to the user, once a row."""
        path = _at(row, ours["document"]).text
        where = f"sheet {table.name!r}"
        if path is None or not path.strip():
            self._notes.add(
                ProblemKind.NO_KEY,
                f"{where}: no document is named; row left out. Take its name from the file as it was",
                row=row[0],
            )
            return None
        page, part = (_number(_at(row, ours[key])) for key in ("page", "part"))
        if not self._written:
            return DocumentId(path, page or 1, part or 1)
        known = self._pages.get(path) or self._pages.get(path.strip()) or ()
        fitting = [
            each
            for each in known
            if (page is None or each.page == page) and (part is None or each.part == part)
        ]
        if len(fitting) == 1:
            return fitting[0]
        why = (
            "several documents are of this file; put the columns of page and part back"
            if fitting
            else "no document of the run has this name and page; take them from the file as it was"
        )
        self._notes.add(
            ProblemKind.NOT_TAKEN, f"{where}: {path!r}: {why}; row left out", row=row[0]
        )
        return None

    def _take(
        self,
        table: Table,
        place: _Place,
        row: Row,
        schema: Schema,
        document: DocumentId,
        known: WrittenDocument | None,
        mark: Mark,
    ) -> None:
        """Look at one cell, and keep it if somebody checked it."""
        written = None if known is None else known.cells.get(place.field)
        raw = _at(row, place.column)
        if known is not None and written is None and raw is BLANK:
            return  # nothing was ever there
        self._seen.add((document, place.field))
        field = schema.field(place.field)
        green = (place.row, place.column) in table.green
        if (place.row, place.column) in table.formulas and not raw.trouble:
            self._refuse(place, "a formula, which was not taken; type its value as text")
            return
        judged = self._judged(field, raw, written, place, marked=mark.checked or green)
        if judged is None:
            return
        value, touched = judged
        how = How.CONFIRMED
        if touched and written is not None and value != written.value:
            how = How.CHANGED
        reviewer, at = mark.reviewer, None
        if written is not None and written.reviewer is not None and not touched:
            # What a person's word looks like is green as well; only a mark of the row is a new word.
            if not mark.checked or mark.reviewer in (None, written.reviewer):
                how, reviewer, at = How.VERIFIED, written.reviewer, written.at
        elif not (touched or mark.checked or green):
            return
        self._found.setdefault((document, place.field), []).append(
            CheckedCell(
                document,
                schema.name,
                place.field,
                value,
                raw.text or "",
                how,
                reviewer,
                at,
                written,
                known.sha256 if known is not None else "",
                known.strategy if known is not None else "",
                place.sheet,
                place.row,
            )
        )

    def _judged(
        self,
        field: Field,
        raw: RawCell,
        written: WrittenCell | None,
        place: _Place,
        *,
        marked: bool,
    ) -> tuple[str | None, bool] | None:
        """(value, whether somebody wrote into it) of a cell; None where nothing of it can be used.

        Without `written` the second cannot be told, and is False.
        """
        was = None if written is None else written.value
        if raw.trouble:
            self._refuse(place, _TROUBLES[raw.trouble])
            return None
        text = (raw.text or "").strip()
        if not text:
            if was is not None and not marked:
                self._refuse(
                    place,
                    "emptied, which was not taken; write 无 if the document has no such thing, or mark "
                    "the row as checked",
                )
                return None
            return None, written is not None and was is not None
        if (fold_heading(text) or text) in self._absent:
            return None, written is not None
        if written is not None and was is not None and is_unchanged(field, raw, text, was):
            return was, False
        value = self._value(field, raw, text, was, place)
        if value is None:
            return None
        return value, written is not None and value != was

    def _value(
        self, field: Field, raw: RawCell, text: str, was: str | None, place: _Place
    ) -> str | None:
        """What was typed into a cell, as the field writes it down; None where it cannot be used."""
        if field.kind is Kind.CODE and (why := spoilt(field, raw, text, was)):
            self._refuse(place, why)
            return None
        if field.kind is Kind.DATE and is_serial(text):
            text = from_serial(text)
        value = normalize(field, text)
        if value is None and (field.kind is Kind.DATE or kind_of(field).closed):
            wanted = (
                f"one of {listed(field.values)}"
                if kind_of(field).closed
                else "a date such as 2019-06-20, or 2019-06"
            )
            self._refuse(place, f"{text!r} was not taken; type {wanted}, or 无")
            return None
        if (
            field.kind is Kind.CODE
            and value
            and field.grammars
            and not field.has_code_length(value)
        ):
            self._notes.add(
                ProblemKind.ODD_VALUE,
                f"{place.words}: a length that no known code of the field has; taken as it stands",
                field.name,
                place.row,
            )
        if raw.dated and value and value.endswith("-01") and not (was or "").endswith("-01"):
            self._notes.add(
                ProblemKind.ODD_VALUE,
                f"{place.words}: the first of a month; taken as it stands. Where only the month is "
                "printed, type an apostrophe before it: '2019-06",
                field.name,
                place.row,
            )
        return value or clean_text(text) or text

    def _refuse(self, place: _Place, why: str) -> None:
        self._notes.add(ProblemKind.NOT_TAKEN, f"{place.words}: {why}", place.field, place.row)

    def _settled(self, said: Sequence[CheckedCell]) -> CheckedCell | None:
        """One word of a cell that stands in several places; None where they differ."""
        field = self._schemas[said[0].schema].field(said[0].field)
        changed = [cell for cell in said if cell.how is How.CHANGED]
        best = (changed or [cell for cell in said if cell.how is How.CONFIRMED] or list(said))[0]
        if all(_same(field, best.value, cell.value) for cell in changed or said):
            return best
        places = listed(f"{cell.sheet!r} row {cell.row}" for cell in changed or said)
        self._notes.add(
            ProblemKind.CONTRADICTION,
            f"{best.document.path}, {best.field}: sheets and rows say different things ({places}); "
            "none was taken. Leave the right one",
            best.field,
        )
        return None

    def _tell_of_subjects(self, table: Table) -> None:
        """Corrections on the sheet of subjects are not taken; they are not lost silently either."""
        header = _header(table, _OF_SUBJECTS)
        assert header is not None
        index, columns = header
        for schema in self._schemas.values():
            fields = self._field_columns(table, schema, columns)
            ours = {
                key: self._our_column(key, columns, schema.names)
                for key in ("document", "page", "part")
            }
            for row in table.rows[index + 1 :]:
                path = _at(row, ours["document"]).text
                page, part = (_number(_at(row, ours[key])) or 1 for key in ("page", "part"))
                known = self._written.get(DocumentId(path or "", page, part))
                if known is None or known.schema != schema.name:
                    continue
                for name, column in fields.items():
                    written = known.cells.get(name)
                    raw = _at(row, column)
                    text = (raw.text or "").strip()
                    if written is None or not text:
                        continue
                    if written.value is None or not is_unchanged(
                        schema.field(name), raw, text, written.value
                    ):
                        place = _Place(table.name, row[0], column, name)
                        self._refuse(
                            place,
                            "a change on the sheet of subjects, which was not taken; make it on the "
                            "document's own row",
                        )


_TROUBLES = {
    "lost digits": "a number of more than 15 digits, of which the spreadsheet lost the last; not taken. "
    "Format the cell as text and type the code again",
    "error value": "an error of the spreadsheet; not taken. Type the value",
    "formula without a result": "a formula without a result; not taken. Type its value as text",
}


def _at(row: Row, column: int | None) -> RawCell:
    cells = row[1]
    return cells[column] if column is not None and column < len(cells) else BLANK


def _is_none(row: CheckedRow) -> bool:
    """Whether a row says that it is not there: a person wrote so into every cell of it."""
    looked = row.checked.keys() == row.cells.keys()
    return looked and all(value is None for value in row.cells.values())


def _number(cell: RawCell) -> int | None:
    text = (cell.text or "").strip()
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _same(field: Field, a: str | None, b: str | None) -> bool:
    return a == b or (a is not None and b is not None and equal(field, a, b))

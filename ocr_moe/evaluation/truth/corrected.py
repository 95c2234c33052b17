"""A records.xlsx that a person corrected: which of its cells were checked, and what they say.

Only what was checked counts as verified: a cell that was changed, a cell that was filled with green, the
cells of a row that was marked in the column "checked". What was changed is told by what was written,
which the workbook carries along on a hidden sheet (`ocr_moe.formats.recordbook`); where that is gone,
by the records of the run, else by marks alone. What cannot be used is told, with what to do.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.truth.cells import BLANK, RawCell, Row, Table
from ocr_moe.evaluation.truth.problems import Notebook, Problem, ProblemKind, listed
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
    headings,
    is_written,
    read_written,
)
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.settings import TruthOptions
from ocr_moe.values.kinds import kind_of
from ocr_moe.values.normalize import equal, normalize
from ocr_moe.values.printed import clean_text

Written = Mapping[DocumentId, WrittenDocument]

_SAME_CONFIDENCE = 1e-9
"""Spreadsheets keep 15 digits of a number; two runs' confidences differ in the first few."""


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

    def count(self, how: How) -> int:
        return sum(cell.how is how for cell in self.cells)


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
    problems = (_figures(corrected), *corrected.problems)
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
    if not found:
        raise TruthError(
            f"{corrected.source}: no cell in it is marked as checked or was changed "
            f"({corrected.untouched} untouched). Change what is wrong; then write your name into the "
            f"column {listed(headings('checked'))} of the rows that you compared with the documents, "
            "or fill single cells with green"
            + "".join(f". {problem.sentence}" for problem in corrected.problems[:3])
        )
    return found


def _figures(corrected: Corrected) -> Problem:
    counts = Counter(cell.how for cell in corrected.cells)
    verified = f", {counts[How.VERIFIED]} verified before" if counts[How.VERIFIED] else ""
    message = (
        f"{len(corrected.cells)} cells were checked ({counts[How.CHANGED]} changed, "
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


def _is_of_rows(header: _Header) -> bool:
    """Whether a sheet holds the rows of a table."""
    has_row = any(text in header[1] for text in headings("row"))
    return has_row and not any(text in header[1] for text in headings("to_check"))


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
        if any(table.second_choice for table in tables):
            self._notes.add(
                ProblemKind.SECOND_READER,
                "only the values of this workbook could be read: green cells do not count, marks in the "
                "column of checked rows do; save it anew in Excel to be sure",
            )
        if not self._written:
            self._notes.add(
                ProblemKind.NOT_TAKEN,
                "the workbook does not say what was written into it (it is of an earlier version, or a "
                "sheet was copied out of it): what was changed cannot be told, and only rows and cells "
                "that are marked as checked count",
            )

    def read(self) -> Corrected:
        subjects = []
        for table in self._tables:
            if _header(table, _OF_SUBJECTS) is not None:
                subjects.append(table)
            elif (header := _header(table, _OF_DOUBTS)) is not None:
                self._read_doubts(table, header)
            else:
                keys = _OF_DOCUMENT if self._written else _OF_ALL_VERSIONS
                header = _header(table, keys)
                if header is not None and not (_is_of_messages(header) or _is_of_rows(header)):
                    self._read_documents(table, header)
        for table in subjects:
            self._tell_of_subjects(table)
        cells = [cell for some in self._found.values() if (cell := self._settled(some)) is not None]
        cells.sort(key=lambda cell: (cell.document, cell.field))
        columns = {
            name: tuple(field for field in schema.names if field in self._columns[name])
            for name, schema in self._schemas.items()
        }
        return Corrected(
            self._path, tuple(cells), len(self._seen) - len(cells), columns, self._notes.problems()
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
            self._refuse(place, "a table, of which marks are not taken; check it at the desk")

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


def _number(cell: RawCell) -> int | None:
    text = (cell.text or "").strip()
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _same(field: Field, a: str | None, b: str | None) -> bool:
    return a == b or (a is not None and b is not None and equal(field, a, b))

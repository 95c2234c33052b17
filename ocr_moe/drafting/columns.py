"""A verified sheet whose schema is still to be found: its columns, and which sample each row is about.

The sheet is read by a schema made of its own headings, so that what counts as a file's name, as empty,
as absent or as damaged is what it will be when runs are scored."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ocr_moe.drafting.kinds import Guess, guess_of, is_code
from ocr_moe.drafting.printing import Printed, seen
from ocr_moe.drafting.samples import Sample
from ocr_moe.errors import TruthError
from ocr_moe.evaluation.truth.cells import RawCell, Table
from ocr_moe.evaluation.truth.corrected import is_corrected
from ocr_moe.evaluation.truth.matched import Match, Said
from ocr_moe.evaluation.truth.matching import match
from ocr_moe.evaluation.truth.problems import Problem
from ocr_moe.evaluation.truth.sheet import (
    CHECKED_HEADINGS,
    FILE_HEADINGS,
    HEADER_ROWS,
    PAGE_HEADINGS,
    PART_HEADINGS,
    TruthCell,
)
from ocr_moe.evaluation.truth.truthset import TruthSet, read_truths
from ocr_moe.folds import fold_heading
from ocr_moe.intake.sources import SUFFIXES
from ocr_moe.schema import Field, Kind, Schema, Subjects
from ocr_moe.settings import TruthOptions
from ocr_moe.subjects import DocumentKey, key_of
from ocr_moe.types import DocumentRef

_NO_FIELD = frozenset(
    map(fold_heading, (*FILE_HEADINGS, *PAGE_HEADINGS, *PART_HEADINGS, *CHECKED_HEADINGS, "schema"))
)
_HEADING = 40
"""Characters of a column's heading at most."""
_REMARK = re.compile(r"[(（\[【][^)）\]】]*[)）\]】]\s*[:*]?$")
_BY_NAME = r"(?P<name>[^_\-—\s()（）]+).*"
"""How files are named after whom they are about, where a sheet names people and no files."""
_NAMES = frozenset(map(fold_heading, ("姓名", "学生姓名", "学生", "name", "student", "subject")))
_TOKEN = re.compile(r"[0-9A-Za-z][0-9A-Za-z.\-/]*")


@dataclass(frozen=True)
class Column:
    """A column of a sheet that is to be a field."""

    heading: str
    guess: Guess
    """By what stands in its cells."""
    cells: Mapping[int, TruthCell]
    """Sample → what is verified there."""
    missing: int
    """Samples of whose rows its cell is empty, or says that there is nothing."""


@dataclass(frozen=True)
class Verified:
    """A verified sheet beside the samples."""

    sheet: Path
    truths: TruthSet
    match: Match
    columns: tuple[Column, ...]
    samples: frozenset[int]
    """Samples that have a row."""

    def of(self, samples: Sequence[int]) -> Verified:
        """The same for some of the samples, counted anew."""
        number = {sample: index for index, sample in enumerate(samples)}
        columns = []
        for column in self.columns:
            cells = {number[i]: cell for i, cell in column.cells.items() if i in number}
            valued = sum(cell.value is not None for cell in cells.values())
            rows = len(self.samples & number.keys())
            columns.append(replace(column, cells=cells, missing=rows - valued))
        known = frozenset(number[i] for i in self.samples if i in number)
        return replace(self, columns=tuple(columns), samples=known)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with the sheet."""
        return (*self.match.truth.problems, *self.match.problems)


def read_sheet(
    path: Path, options: TruthOptions, samples: Sequence[Sample], pages: Sequence[Printed]
) -> Verified:
    """A sheet with its rows brought to samples. Raises TruthError where it cannot be used, or no row is
    about any of the samples."""
    truths = read_truths([path], options)
    [(_, tables)] = truths.files
    if is_corrected(tables):
        raise TruthError(
            f"{path}: is a run's records.xlsx, whose columns are those of its schema already; give a "
            "sheet with a column that names the files"
        )
    schema = _schema_of(path, tables, options)
    [truth] = truths.of((schema,))
    documents = [DocumentRef(path=each.name, sha256=each.sha256) for each in samples]
    found = match(truth, documents, lambda: _tokens(schema, samples, pages))
    by_key = {key_of(document): index for index, document in enumerate(documents)}
    rows = {by_key[each.key]: each.cells for each in found.documents if each.key in by_key}
    if not rows:
        there = ", ".join(each.key for each in truth.rows[:3])
        named = ", ".join(each.name for each in samples[:3])
        raise TruthError(
            f"{path}: no row is about one of the samples; its rows are about {there}, the samples are "
            f"{named}. Name the files in a column 文件名 (file), or take samples that have rows"
        )
    guesses = {field.name: guess for field, guess in _fields_of(path, tables, options)}
    columns = []
    for field in schema.fields:
        cells = {index: row[field.name] for index, row in rows.items() if field.name in row}
        valued = sum(cell.value is not None for cell in cells.values())
        columns.append(Column(field.name, guesses[field.name], cells, len(rows) - valued))
    return Verified(path, truths, found, tuple(columns), frozenset(rows))


def _schema_of(path: Path, tables: Sequence[Table], options: TruthOptions) -> Schema:
    """A schema of a sheet's own columns. Raises TruthError where it has none."""
    fields = [field for field, _ in _fields_of(path, tables, options)]
    if not fields:
        raise TruthError(
            f"{path}: no column is to be a field: the first row must have headings, one of them 文件名 "
            "(file), and the others the names of fields"
        )
    named = next((each for each in fields if fold_heading(each.name) in _NAMES), None)
    subjects = None
    if named is not None and not _has_files(tables):
        subjects = Subjects(pattern=_BY_NAME, name_field=named.name)
    return Schema(name="sheet", fields=tuple(fields), subjects=subjects)


def _has_files(tables: Sequence[Table]) -> bool:
    files = set(map(fold_heading, FILE_HEADINGS))
    return any(
        fold_heading(cell.text or "") in files
        for table in tables
        for _, cells in table.rows[:HEADER_ROWS]
        for cell in cells
    )


def _fields_of(
    path: Path, tables: Sequence[Table], options: TruthOptions
) -> list[tuple[Field, Guess]]:
    """The columns of the sheet with the most of them, as fields, and why each is of its kind."""
    if options.sheet is not None:
        tables = [table for table in tables if table.name == options.sheet]
    best: list[tuple[Field, Guess]] = []
    for table in tables:
        fields = _fields_in(table, options)
        best = fields if len(fields) > len(best) else best
    return best


def _fields_in(table: Table, options: TruthOptions) -> list[tuple[Field, Guess]]:
    header = _header(table)
    if header is None:
        return []
    row, headings = header
    absent = {fold_heading(word) or word for word in options.absent}
    fields: list[tuple[Field, Guess]] = []
    taken: set[str] = set()
    own = {options.file_column, options.subject_column} - {None}
    for column, heading in enumerate(headings):
        name = _REMARK.sub("", heading).strip() or heading
        fold = fold_heading(name)
        if not fold or fold in _NO_FIELD or fold in taken or heading in own or len(name) > _HEADING:
            continue
        texts = [
            text
            for _, cells in table.rows[row + 1 :]
            if column < len(cells)
            and not cells[column].trouble
            and (text := _text(cells[column]))
            and (fold_heading(text) or text) not in absent
            and not _is_file(text)
        ]
        if not texts:
            continue
        taken.add(fold)
        guess = guess_of(texts, name)
        kind = guess.kind
        field = Field(
            name=name,
            kind=kind,
            required=False,
            values=dict(guess.values) if kind is Kind.ENUM else {},
        )
        fields.append((field, guess))
    return fields


def _is_file(text: str) -> bool:
    return PurePosixPath(text).suffix.lower() in SUFFIXES


def _header(table: Table) -> tuple[int, list[str]] | None:
    """The row with the headings: the first that names a column of files, else the first of words."""
    files = set(map(fold_heading, FILE_HEADINGS))
    rows = [(index, cells) for index, (_, cells) in enumerate(table.rows[:HEADER_ROWS])]
    for index, cells in rows:
        if any(fold_heading(cell.text or "") in files for cell in cells):
            return index, [_text(cell) for cell in cells]
    for index, cells in rows:
        texts = [cell for cell in cells if cell.text]
        if len(texts) >= 2 and not any(cell.numeric or cell.dated for cell in texts):
            return index, [_text(cell) for cell in cells]
    return None


def _text(cell: RawCell) -> str:
    return " ".join(seen(cell.text or "").split())


def _tokens(
    schema: Schema, samples: Sequence[Sample], pages: Sequence[Printed]
) -> dict[DocumentKey, Said]:
    """What may be the codes that stand on each sample, by which rows without a file's name are told."""
    codes = [field.name for field in schema.fields if field.kind is Kind.CODE]
    said: dict[DocumentKey, Said] = {}
    for index, sample in enumerate(samples):
        found = {
            token
            for page in pages
            if page.sample == index
            for line in page.text.lines
            for token in _TOKEN.findall(line.text)
            if is_code(token)
        }
        said[DocumentKey(sample.name)] = {name: sorted(found) for name in codes}
    return said

"""Two columns of one sheet as truth and prediction: scoring what other programs wrote down."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ocr_moe.errors import TruthError
from ocr_moe.evaluation.truth.cells import BLANK, RawCell, Table
from ocr_moe.evaluation.truth.problems import Notebook, ProblemKind, listed
from ocr_moe.evaluation.truth.sheet import (
    FILE_HEADINGS,
    HEADER_ROWS,
    Truth,
    is_serial,
    load_truth_tables,
    same_heading,
)
from ocr_moe.evaluation.truth.tables import read_tables
from ocr_moe.folds import fold_heading, has_cjk
from ocr_moe.schema import Field, Kind, Schema
from ocr_moe.settings import TruthOptions
from ocr_moe.types import Decision, DocumentRef, Record, Status
from ocr_moe.values.dates import parse_date
from ocr_moe.values.normalize import normalize
from ocr_moe.values.printed import clean_text

_LETTERS = re.compile(r"[A-Z]{1,3}")
_CODE = re.compile(r"[A-Z0-9-]{6,}")
_LONGEST_DATE = 20


@dataclass(frozen=True, slots=True)
class Columns:
    """A column of verified values and the readings of one strategy, the other column."""

    truth: Truth
    strategy: str
    records: tuple[Record, ...]


def read_columns(
    path: Path,
    truth_column: str,
    predicted_column: str,
    field: Field | None = None,
    options: TruthOptions | None = None,
    fields: Sequence[Field] = (),
) -> Columns:
    """Read two columns, named by their heading or by their letter (`A`, `AB`).

    They are compared as `field` says, else as that of the `fields` which their headings name
    (人工证书编号 names 证书编号) if the verified values are such, else by what the values look like:
    dates, codes or text. Which it was is among the truth's problems.

    An empty verified cell is left out as the options say; an empty predicted one is a missing
    value. Numbers that lost digits are left out on either side and told. Raises TruthError.
    """
    options = options or TruthOptions()
    table, header, left, right = _find(path, truth_column, predicted_column, options.sheet)
    body = table.rows[header + 1 :]
    headings = table.rows[header][1]
    name = _text(headings, left) or truth_column
    strategy = _text(headings, right) or predicted_column
    notebook = Notebook(path.name)
    if field is None:
        verified, read = ([_text(cells, column) for _, cells in body] for column in (left, right))
        field = _named_by((name, strategy), fields, _present(verified, options))
        why = f"as the heading says, which names {field.name}" if field is not None else ""
        if field is None:
            field = Field(name=name, kind=_kind(_present(verified, options), read))
            why = "by what the values look like: no heading names a known field of such values"
        notebook.add(ProblemKind.COMPARED_AS, f"compared as {field.kind.value}, {why}", name)
        field = field.model_copy(update={"name": name})
    schema = Schema(name="columns", fields=(field,))
    names = _names(table, header)
    if not names:
        raise TruthError(f"{path}: there are no rows below the headings")
    truth = load_truth_tables(path, [_two(table, header, left, field, names)], schema, options)
    as_read = options.model_copy(update={"blank": "absent"})
    predicted = load_truth_tables(path, [_two(table, header, right, field, names)], schema, as_read)
    readings = {row.key: row.cells[field.name] for row in predicted.rows if row.cells}
    # A prediction that the spreadsheet damaged says nothing about the program that made it.
    known = tuple(row for row in truth.rows if row.key in readings)
    if not known:
        raise TruthError(f"{path}: no row has a usable value in both columns")
    lost = predicted.unscorable
    records = tuple(
        Record(
            document=DocumentRef(path=row.key, sha256=""),
            schema_name=schema.name,
            strategy=strategy,
            fields={field.name: Decision(value=readings[row.key].value, status=Status.ACCEPTED)},
        )
        for row in known
    )
    known_truth = Truth(
        schema=schema,
        source=path,
        sheet=table.name,
        by="file",
        fields=truth.fields,
        rows=known,
        blank=truth.blank,
        unscorable=truth.unscorable + lost,
        problems=notebook.problems() + truth.problems + predicted.problems,
    )
    return Columns(known_truth, strategy, records)


def _find(path: Path, left: str, right: str, sheet: str | None) -> tuple[Table, int, int, int]:
    """The sheet, the index of its header row, and both columns."""
    tables = [table for table in read_tables(path) if sheet is None or table.name == sheet]
    if not tables:
        raise TruthError(f"{path}: there is no sheet {sheet!r}")
    for table in tables:
        for index, (_, cells) in enumerate(table.rows[:HEADER_ROWS]):
            columns = [_column(cells, name) for name in (left, right)]
            if columns[0] is not None and columns[1] is not None:
                return table, index, columns[0], columns[1]
    first = next(
        (
            [text for cell in cells if (text := (cell.text or "").strip())]
            for table in tables
            for _, cells in table.rows[:HEADER_ROWS]
            if any(cell.text for cell in cells)
        ),
        [],
    )
    raise TruthError(
        f"{path}: there are no columns {left!r} and {right!r}; found {listed(first, 20) or 'nothing'}"
    )


def _column(cells: Sequence[RawCell], name: str) -> int | None:
    """A column by its heading, else by its letter where the row has a heading there."""
    for index, cell in enumerate(cells):
        if cell.text and same_heading(cell.text, name):
            return index
    if _LETTERS.fullmatch(name.upper()):
        index = 0
        for letter in name.upper():
            index = index * 26 + ord(letter) - ord("A") + 1
        if _text(cells, index - 1):
            return index - 1
    return None


def _named_by(
    headings: Sequence[str], fields: Sequence[Field], verified: Sequence[str]
) -> Field | None:
    """The field that a heading names, the verified column's before the other one, if most of the
    verified values are of its kind. Anything is a text: a field of that kind says nothing."""
    for heading in headings:
        named = [
            (len(form), item)
            for item in fields
            if item.kind is not Kind.TEXT
            for form in (*item.aliases, item.name)
            if _is_named(form, heading)
        ]
        longest = max((length for length, _ in named), default=0)
        found = [item for length, item in named if length == longest]
        if len({item.kind for item in found}) != 1:
            continue
        for item in found:
            if _mostly(verified, partial(_is_of, item)):
                return item
        # Such values, but of other forms than the schemas know: a register's own numbers.
        plain = Field(name=found[0].name, kind=found[0].kind)
        if plain.kind is not Kind.ENUM and _mostly(verified, partial(_is_of, plain)):
            return plain
    return None


def _is_named(form: str, heading: str) -> bool:
    """Whether a heading names a field: as a part of it in Chinese, in whole words in Latin letters."""
    if has_cjk(form):
        return len(form) > 1 and fold_heading(form) in fold_heading(heading)
    words, wanted = (
        re.sub(r"[\W_]+", " ", unicodedata.normalize("NFKC", text)).casefold().strip()
        for text in (heading, form)
    )
    return re.search(rf"(?<![a-z0-9]){re.escape(wanted)}(?![a-z0-9])", words) is not None


def _is_of(item: Field, text: str) -> bool:
    """Whether a text is a value of the field."""
    if item.kind is Kind.DATE:
        return _is_date(text) or is_serial(text)
    value = normalize(item, text)
    if item.kind is Kind.CODE and item.grammars:
        return value is not None and item.has_code_length(value)
    return value is not None


def _present(values: Sequence[str], options: TruthOptions) -> list[str]:
    """The values that say something: neither empty nor a word for what is absent."""
    absent = {"", *map(fold_heading, options.absent)}
    return [value for value in values if fold_heading(value) not in absent]


def _kind(verified: Sequence[str], predicted: Sequence[str]) -> Kind:
    """What the values look like: dates where both columns hold such, codes where the first does.

    Days as numbers are dates beside a column that writes them out.
    """
    known = (_is_date, lambda text: _is_date(text) or is_serial(text))
    for left, right in (known, known[::-1]):
        if _mostly(verified, left) and _mostly(predicted, right):
            return Kind.DATE
    return Kind.CODE if _mostly(verified, _is_code) else Kind.TEXT


def _mostly(values: Sequence[str], looks: Callable[[str], bool]) -> bool:
    filled = [value for value in values if value]
    return bool(filled) and sum(map(looks, filled)) >= 0.8 * len(filled)


def _is_date(text: str) -> bool:
    return len(text) <= _LONGEST_DATE and parse_date(clean_text(text)) is not None


def _is_code(text: str) -> bool:
    return _CODE.fullmatch(text.replace(" ", "").upper()) is not None


def _names(table: Table, header: int) -> dict[int, str]:
    """Row number → what to call the row: its file where a column names it, else its number."""
    headings = [cell.text or "" for cell in table.rows[header][1]]
    files = next(
        (
            index
            for index, heading in enumerate(headings)
            if any(same_heading(heading, name) for name in FILE_HEADINGS)
        ),
        None,
    )
    rows = table.rows[header + 1 :]
    named = {number: _text(cells, files) for number, cells in rows} if files is not None else {}
    counts = Counter(named.values())
    return {
        number: named[number] if counts[named.get(number, "")] == 1 else f"row {number:05}"
        for number, _ in rows
    }


def _two(table: Table, header: int, column: int, field: Field, names: dict[int, str]) -> Table:
    """A sheet of the row names and one of the columns, under the field's name."""
    head = (table.rows[header][0], (RawCell("document"), RawCell(field.name)))
    rows = tuple(
        (number, (RawCell(names[number]), cells[column] if column < len(cells) else BLANK))
        for number, cells in table.rows[header + 1 :]
        if any(cell.text for cell in cells)
    )
    return Table(table.name, (head, *rows))


def _text(cells: Sequence[RawCell], index: int | None) -> str:
    if index is None or index >= len(cells):
        return ""
    return (cells[index].text or "").strip()

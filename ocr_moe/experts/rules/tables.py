"""Tables as the `rules` expert reads them: the rows that `ocr_moe.reading.tables` finds, cell by cell.

The score of a cell is the belief that it is right: what page OCR said of its lines, less where the
cell is not of its column's `shape`, looks otherwise than the column's other cells, or was cut out of a
box that holds its neighbour as well.  Features of a cell's reading: `conf`, `heading` (quality of the
column's heading), `fits`, `usual`, `cut` and `lines`.

That a row was not read at all no cell can tell; a gap between rows, text in between that belongs to no
cell, and a printed sum that the column does not come to, do: then a person looks at the whole table.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ocr_moe.geometry import hull
from ocr_moe.reading.candidates import PreparedPage, candidate_in, compiled
from ocr_moe.reading.grids import looks_of
from ocr_moe.reading.tablerows import TableCell
from ocr_moe.reading.tables import FoundTable, find_table
from ocr_moe.schema import Field, Kind
from ocr_moe.types import Evidence, Reading, Rulings
from ocr_moe.values.plausible import plausibility
from ocr_moe.values.tables import number_in, summed, table_text

_UNDECIDED = 0.5
"""The most that a table is believed of which something is missing, it seems."""
_NO_HEADINGS = ("no headings of the table found on the page", 0.5)
_NO_ROWS = ("headings of the table found, no rows under them", 0.6)
"""Why there is no value, and the belief that there is no such table."""
_EMPTY = 0.95
"""Belief that nothing is printed where nothing was read: engines miss a lone figure now and then."""
_GUESSED = "without headings: the columns are told by what stands in them"
_UNCLEAR = 0.5
"""The same where the column may be one whose heading was not recognised."""
_DOUBT = 2.0
"""How many times what page OCR leaves open of a line is doubt in a cell."""
_LEAST = 0.3
"""What is left of the belief in a cell that was hardly read."""
_MISSHAPEN = 0.5
_UNUSUAL = 0.7
"""Factor for a cell that looks otherwise than nearly all of its column."""
_CUT = 0.93
_SEVERAL_LINES = 0.99
_RARE = 0.15
"""Share of a column's cells up to which a look is unusual there …"""
_ENOUGH = 6
"""… if it has as many cells."""
_SHOWN = 3
"""Texts of no cell that a note quotes."""
_STRICT = (Kind.DATE, Kind.MONEY)
"""Kinds of which the looks of a value alone say how likely it is."""


def read_table(
    wanted: Field, pages: Sequence[PreparedPage], rulings: Mapping[int, Rulings] | None = None
) -> Reading:
    """The reading of a field of kind table; `rulings` are the ruled lines of pages by their numbers."""
    found = find_table(wanted, pages, rulings)
    if found is None or not found.rows:
        note, score = _NO_HEADINGS if found is None else _NO_ROWS
        return Reading(field=wanted.name, score=score, notes=(note,))
    usual = _usual(wanted, found)
    rows = tuple(
        {
            column.name: _cell(column, row.get(column.name), found, usual)
            for column in wanted.columns
        }
        for row in found.rows
    )
    value = table_text({name: cell.value for name, cell in row.items()} for row in rows)
    notes = [*([_GUESSED] if found.guessed else []), *_missing(found), *_sums(wanted, found, rows)]
    scores = [cell.score for row in rows for cell in row.values() if cell.score is not None]
    return Reading(
        field=wanted.name,
        value=value,
        score=min(scores, default=0.0),
        evidence=_evidence(found),
        notes=tuple(notes),
        ceiling=_UNDECIDED if notes else 1.0,
        rows=rows,
    )


def _usual(wanted: Field, found: FoundTable) -> Mapping[str, Counter[str]]:
    return {
        column.name: Counter(
            looks_of(row[column.name].text.text) for row in found.rows if column.name in row
        )
        for column in wanted.columns
    }


def _cell(
    column: Field,
    cell: TableCell | None,
    found: FoundTable,
    usual: Mapping[str, Counter[str]],
) -> Reading:
    heading = found.columns.get(column.name, 0.0)
    if cell is None:
        empty = _UNCLEAR if column.name in found.unclear else _EMPTY
        return Reading(field=column.name, score=empty, features={"heading": heading})
    layout = cell.page.layout
    text = cell.text
    span = _span(column, text.text)
    candidate = None if span is None else candidate_in(column, text, span, 1.0)
    evidence = layout.evidence(cell.glyphs, cell.page.number)
    if candidate is None:
        note = f"{text.text!r} is not a value of this field"
        return Reading(
            field=column.name, raw=text.text, score=_EMPTY / 2, evidence=evidence, notes=(note,)
        )
    conf = layout.confidence(cell.glyphs)
    looks = usual[column.name]
    rare = looks.total() >= _ENOUGH and looks[looks_of(text.text)] <= _RARE * looks.total()
    fits = _fits(column, candidate.value)
    score = max(_LEAST, 1.0 - _DOUBT * (1.0 - conf)) * fits * heading**0.5
    score *= _UNUSUAL if rare else 1.0
    score *= _CUT if cell.cut else 1.0
    score *= _SEVERAL_LINES if len(cell.lines) > 1 else 1.0
    features = {
        "conf": conf,
        "heading": heading,
        "fits": fits,
        "usual": float(not rare),
        "cut": float(cell.cut),
        "lines": float(len(cell.lines)),
        "framed": float(cell.framed),
        "agreed": float(cell.agreed),
        "merged": float(cell.merged),
    }
    return Reading(
        field=column.name,
        value=candidate.value,
        raw=candidate.raw,
        score=round(score, 6),
        evidence=evidence,
        features={name: round(number, 6) for name, number in features.items()},
    )


def _span(column: Field, text: str) -> tuple[int, int] | None:
    """Where in a cell its value stands: all of it, or what the column's patterns find."""
    expressions = (*column.patterns, *column.line_patterns)
    for expression in expressions:
        match = compiled(expression).search(text)
        if match is not None:
            return match.span("value" if "value" in match.re.groupindex else 0)
    return None if expressions else (0, len(text))


def _fits(column: Field, value: str) -> float:
    if column.kind in _STRICT or column.grammars:
        return plausibility(column, value)
    return _MISSHAPEN if column.shape and not re.search(column.shape, value) else 1.0


def _missing(found: FoundTable) -> list[str]:
    notes = [f"after row {row} there is room for one that was not read" for row in found.gaps]
    if found.strays:
        texts = ", ".join(found.strays[:_SHOWN])
        notes.append(f"text between rows that belongs to no cell: {texts}")
    return notes


def _sums(wanted: Field, found: FoundTable, rows: Sequence[Mapping[str, Reading]]) -> list[str]:
    """What speaks against the rows in the row of sums that is printed under them."""
    notes = []
    for total in wanted.totals:
        printed = [
            number
            for row in found.sums
            if total.column in row
            and (number := number_in(row[total.column].text.text)) is not None
        ]
        if total.field or not printed:
            continue
        come_to = summed(row[total.column].value for row in rows)
        if abs(come_to - printed[0]) > Decimal(str(total.tolerance)):
            notes.append(f"{total.column} adds up to {come_to}, printed is {printed[0]}")
    return notes


def _evidence(found: FoundTable) -> Evidence | None:
    """The box of the table on the page where it begins, and its headings as printed."""
    cell = next((cell for row in found.rows for cell in row.values()), None)
    if not found.heads and cell is None:
        return None
    page, glyphs = found.heads[0] if cell is None or found.heads else (cell.page, cell.glyphs)
    head = page.layout.evidence(glyphs, page.number)
    if head is None:
        return None
    cells = [
        place.box
        for row in found.rows
        for cell in row.values()
        if cell.page is page
        and (place := page.layout.evidence(cell.glyphs, page.number)) is not None
    ]
    return head.model_copy(update={"box": hull([head.box, *cells])})

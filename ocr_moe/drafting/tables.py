"""Tables that come again on samples: headings in one row, and rows under them.

A row of words that come again is tried as the headings of a table, by the reader that will read it."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ocr_moe.drafting.kinds import Guess, guess_of
from ocr_moe.drafting.printing import Printed, enough, folded, is_wording
from ocr_moe.folds import HAN
from ocr_moe.reading.candidates import prepare
from ocr_moe.reading.tables import find_table
from ocr_moe.schema import Field, Kind, Schema

_NAMES = ("rows", "明细")
"""What a table is called, in Latin letters and in Chinese."""
_COLUMNS = 3
"""Headings in one row from which it heads a table."""
_OF_ROW = 0.6
"""Share of a row's boxes that are such words."""
_ROWS = 2
"""Rows that a table has on some sample: one alone is a row of values under their labels."""
_OFTEN = 0.5
"""Share of the samples with the headings on which rows are found under them."""
_FILLED = 0.9
"""Share of a column's cells that are filled where it always is."""
_IN_COLUMN = (Kind.DATE, Kind.MONEY, Kind.NUMBER, Kind.PERCENTAGE, Kind.TIME, Kind.CODE)
"""Kinds that are told of cells; others are written as they are printed."""


@dataclass(frozen=True)
class FoundTable:
    """A table on the samples."""

    headings: tuple[str, ...]
    field: Field
    guesses: dict[str, Guess]
    samples: frozenset[int]
    """On which it has rows."""
    rows: int
    """On all of them together."""
    cells: frozenset[str]
    """What stands in its cells, folded: no label, though it comes again."""


def tables_on(pages: Sequence[Printed], samples: int) -> list[FoundTable]:
    """The tables on so many samples, at most one of the same headings."""
    found: list[FoundTable] = []
    taken: set[str] = set()
    for headings in _heading_rows(pages, samples):
        if taken & set(map(folded, headings)):
            continue
        name = _NAMES[HAN.search("".join(headings)) is not None]
        table = _tried(headings, pages, samples, name)
        if table is not None:
            found.append(table)
            taken |= set(map(folded, headings))
    return found


def _heading_rows(pages: Sequence[Printed], samples: int) -> Iterator[tuple[str, ...]]:
    """Words that stand in one row of many samples, from left to right; the most first."""
    seen: dict[str, set[int]] = defaultdict(set)
    for page in pages:
        for piece in page.layout.pieces:
            seen[folded(piece.text)].add(page.sample)
    least = enough(samples)
    usual = {key for key, where in seen.items() if len(where) >= least and is_wording(key)}
    rows: dict[frozenset[str], list[tuple[int, list[tuple[float, str]]]]] = defaultdict(list)
    for page in pages:
        for row in page.layout.rows:
            words = [(p.u0, p.text.strip(" :*")) for p in row if folded(p.text) in usual]
            if len(words) < _COLUMNS or len(words) < _OF_ROW * len(row):
                continue
            keys = frozenset(folded(text) for _, text in words)
            if len(keys) == len(words):
                rows[keys].append((page.sample, words))
    groups: list[tuple[set[str], list[tuple[int, list[tuple[float, str]]]]]] = []
    for keys, places in sorted(rows.items(), key=lambda item: -len(item[1])):
        for known, others in groups:
            if len(known & keys) >= max(2, 0.6 * min(len(known), len(keys))):
                known |= keys
                others += places
                break
        else:
            groups.append((set(keys), list(places)))
    groups.sort(key=lambda group: -len(group[1]))
    for every, places in groups:
        if len({sample for sample, _ in places}) < least:
            continue
        at: dict[str, list[float]] = defaultdict(list)
        printed: dict[str, Counter[str]] = defaultdict(Counter)
        for _, words in places:
            for u, text in words:
                at[folded(text)].append(u)
                printed[folded(text)][text] += 1
        often = [key for key in every if len(at[key]) >= 0.3 * len(places)]
        often.sort(key=lambda key: statistics.median(at[key]))
        if len(often) >= _COLUMNS:
            yield tuple(printed[key].most_common(1)[0][0] for key in often)


def _tried(
    headings: Sequence[str], pages: Sequence[Printed], samples: int, name: str
) -> FoundTable | None:
    columns = tuple(Field(name=heading, labels=(heading,), required=False) for heading in headings)
    field = Field(name=name, kind=Kind.TABLE, columns=columns)
    schema = Schema(name="table", fields=(field,))
    cells: dict[str, list[str]] = defaultdict(list)
    rows: Counter[int] = Counter()
    headed: set[int] = set()
    for page in pages:
        found = find_table(field, [prepare(schema, page.number, page.text)])
        if found is None:
            continue
        headed.add(page.sample)
        for row in found.rows:
            rows[page.sample] += 1
            for column, cell in row.items():
                cells[column].append(cell.text.text)
    if not rows or max(rows.values()) < _ROWS or len(rows) < enough(samples):
        return None
    if len(rows) < _OFTEN * len(headed):
        return None
    total = rows.total()
    guesses: dict[str, Guess] = {}
    made = []
    for heading in headings:
        texts = cells.get(heading, [])
        if not texts:
            continue
        guesses[heading] = guess = guess_of(texts, heading)
        kind = guess.kind if guess.kind in _IN_COLUMN else Kind.TEXT
        made.append(
            Field(
                name=heading,
                kind=kind,
                labels=(heading,),
                required=len(texts) >= _FILLED * total,
                units=dict(guess.units) if kind is Kind.NUMBER else {},
                grammars=guess.grammars if kind is Kind.CODE else (),
            )
        )
    if len(made) < 2:
        return None
    whole = Field(name=name, kind=Kind.TABLE, columns=tuple(made), required=len(rows) == samples)
    texts_of_cells = frozenset(folded(text) for texts in cells.values() for text in texts)
    return FoundTable(
        tuple(c.name for c in made), whole, guesses, frozenset(rows), total, texts_of_cells
    )

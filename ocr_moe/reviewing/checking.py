"""What can be told of a value while it is typed: how it would be written, and what speaks against it.

Nothing is corrected: what a person typed stands, and they are told what looks wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import date

from ocr_moe.codes.grammar import CodeGrammar
from ocr_moe.codes.lexicon import find_lexicon
from ocr_moe.formats.phrases import Phrase
from ocr_moe.schema import Field, Kind
from ocr_moe.values.normalize import normalize
from ocr_moe.values.plausible import plausibility
from ocr_moe.values.tables import named_cells, table_rows, table_text

LONGEST = 32_767
"""Characters of a value: what a cell of Excel holds."""
LONGEST_TABLE = 1_000_000
"""Characters of a table's rows as text: some thousands of rows."""
_GRAVE = frozenset(
    f"cell_doubt_{name}" for name in ("length", "form", "check", "part_check", "calendar", "future")
)
"""Doubts that a slip of the keyboard causes: who types such a value is asked once more."""
_PRINTED_GROUP = 4
"""Characters of a group where no grammar says how a code is made up."""


@dataclass(frozen=True)
class Group:
    """A run of characters of a code that belong together."""

    name: str
    """The segment's; empty where no grammar knows it."""
    start: int
    end: int


@dataclass(frozen=True)
class Checked:
    """A value as it was typed, looked at."""

    value: str | None
    """As it would be written down; None where the field cannot hold it."""
    refusal: Phrase | None = None
    """Why it cannot be held."""
    doubts: tuple[Phrase, ...] = ()
    """What speaks against it. A person's word stands all the same."""
    grave: bool = False
    """Whether a doubt is one that a slip of the keyboard causes."""
    merits: tuple[Phrase, ...] = ()
    """What speaks for it."""
    groups: tuple[Group, ...] = ()
    """Of a code."""
    cells: Mapping[tuple[int, str], Checked] = dataclass_field(default_factory=dict)
    """Of a table: (row counted from 0, column) → what is to be told of a cell that is not just as it
    would be written."""


def check(field: Field, typed: str, today: date | None = None) -> Checked:
    """What a typed text comes to in a field, and what may be told of it in the desk's words."""
    if not typed.strip():
        return Checked(None, Phrase("cell_refused_empty"))
    if field.kind is Kind.TABLE:
        return _check_table(field, typed, today)
    if len(typed) > LONGEST:
        return Checked(None, Phrase("cell_refused_long", {"most": f"{LONGEST:,}"}))
    value = normalize(field, typed)
    if value is None:
        return Checked(None, refusal_of(field, typed))
    doubts: list[Phrase] = []
    merits: list[Phrase] = []
    for good, phrase in _remarks(field, value, today or date.today()):
        (merits if good else doubts).append(phrase)
    groups = groups_of(field, value) if field.kind is Kind.CODE else ()
    return Checked(
        value,
        doubts=tuple(doubts),
        grave=any(each.key in _GRAVE for each in doubts),
        merits=tuple(merits),
        groups=groups,
    )


def held(field: Field, typed: str) -> str | None:
    """A text as the field writes it down; None where it cannot stand there. Of a table, a cell that
    cannot is no reason to drop it and keep the others."""
    return check(field, typed).value if field.kind is Kind.TABLE else normalize(field, typed)


def _check_table(table: Field, typed: str, today: date | None) -> Checked:
    """Every cell of a table by its column's kind; one that cannot be held is no reason to drop it."""
    if len(typed) > LONGEST_TABLE:
        return Checked(None, Phrase("cell_refused_long", {"most": f"{LONGEST_TABLE:,}"}))
    cells: dict[tuple[int, str], Checked] = {}
    rows: list[dict[str, str | None]] = []
    for index, said in enumerate(table_rows(typed)):
        row: dict[str, str | None] = {}
        for column, text in named_cells(table, said).items():
            if text.strip():
                found = check(table.column(column), text, today)
                row[column] = found.value
                if found.refusal is not None or found.doubts or found.value != text:
                    cells[index, column] = found
        rows.append(row)
    filled = [row for row in rows if row]
    value = table_text(filled)
    if not filled or any(cell.refusal is not None for cell in cells.values()) or value is None:
        first = next((at for at, cell in cells.items() if cell.refusal is not None), None)
        if first is None:
            return Checked(None, Phrase("cell_refused_table"), cells=cells)
        where = {"row": first[0] + 1, "column": first[1]}
        return Checked(None, Phrase("cell_refused_cell", where), cells=cells)
    return Checked(value, grave=any(cell.grave for cell in cells.values()), cells=cells)


def refusal_of(field: Field, typed: str) -> Phrase:
    """Why a field cannot hold what was typed, and how to write it."""
    shown = typed if len(typed) <= 40 else typed[:40] + "…"
    return Phrase(
        f"cell_refused_{field.kind.value}", {"typed": shown, "values": " / ".join(field.values)}
    )


def groups_of(field: Field, code: str) -> tuple[Group, ...]:
    """How a code is read: by the segments of the grammar that it follows, a right check before
    weight; by fours where it follows none."""
    fitting = [grammar for grammar in field.grammars if grammar.matches(code)]
    if not fitting:
        starts = range(0, len(code), _PRINTED_GROUP)
        return tuple(Group("", at, min(at + _PRINTED_GROUP, len(code))) for at in starts)
    best = max(fitting, key=lambda grammar: (grammar.checks(code) is True, grammar.weight))
    spans = sorted((best.parse(code) or {}).items(), key=lambda item: item[1])
    groups: list[Group] = []
    at = 0
    for name, (start, end) in spans:
        if start > at:
            groups.append(Group("", at, start))
        if end > start:
            groups.append(Group(name, start, end))
        at = max(at, end)
    if at < len(code):
        groups.append(Group("", at, len(code)))
    return tuple(groups)


def _remarks(field: Field, value: str, today: date) -> Iterator[tuple[bool, Phrase]]:
    """(whether it speaks for the value, what is to be told)."""
    if field.kind is Kind.CODE:
        yield from _of_code(field, value)
    elif field.kind is Kind.DATE and value not in field.values:
        yield from _of_date(value, today)
    elif field.kind not in (Kind.ENUM, Kind.DATE) and plausibility(field, value) == 0.0:
        yield False, Phrase("cell_doubt_shape")
    if field.lexicon is not None:
        lexicon = find_lexicon(field.lexicon.name, field.lexicon.path)
        if lexicon is not None:
            listed = lexicon.listed(value) is not None
            yield listed, Phrase("cell_merit_listed" if listed else "cell_doubt_unlisted")


def _of_code(field: Field, value: str) -> Iterator[tuple[bool, Phrase]]:
    if not field.grammars:
        return
    fitting = [grammar for grammar in field.grammars if grammar.matches(value)]
    if not fitting:
        if any(re.fullmatch(form, value) for form in field.forms):
            yield True, Phrase("cell_merit_form")
        elif not field.has_code_length(value):
            lengths = " / ".join(_lengths(field.grammars))
            yield False, Phrase("cell_doubt_length", {"n": len(value), "lengths": lengths})
        else:
            yield False, Phrase("cell_doubt_form")
        return
    checks = [grammar.checks(value) for grammar in fitting]
    if any(checks):
        yield True, Phrase("cell_merit_check")
    elif all(check is False for check in checks):
        yield False, Phrase("cell_doubt_check")
    else:
        yield True, Phrase("cell_merit_form")
    best = next((g for g in fitting if g.checks(value)), fitting[0])
    for name, right in best.part_checks(value).items():
        if not right:
            yield False, Phrase("cell_doubt_part_check", {"part": name})


def _lengths(grammars: tuple[CodeGrammar, ...]) -> list[str]:
    lengths = {n for g in grammars for n in range(g.shortest, g.longest + 1)}
    return [str(length) for length in sorted(lengths)]


def _of_date(value: str, today: date) -> Iterator[tuple[bool, Phrase]]:
    year, *rest = (int(part) for part in value.split("-"))
    month, day = [*rest, 1, 1][:2]
    try:
        named = date(year, month, day)
    except ValueError:
        yield False, Phrase("cell_doubt_calendar")
        return
    if named > today:
        yield False, Phrase("cell_doubt_future")
    if not rest:
        yield False, Phrase("cell_doubt_year_only")
    elif len(rest) == 1:
        yield False, Phrase("cell_doubt_no_day")
